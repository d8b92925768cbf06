import { bytesOf, isPassing, type Schemas } from '@/shared/api/client'
import type { PainterClient } from './canvas/painter/client'
import type { DecoderClient } from './decoder/client'

/** `asOf`: how many operations the outbox had seen confirmed when the server was asked for it. */
export type Assignment = Schemas['AssignmentJson'] & { asOf?: number }

export interface ShelvedPhoto {
  /** The photo, small; there as soon as the photo can be drawn. */
  picture: ImageBitmap | null
  /** Whether clicks can be answered. */
  isReady: boolean
  /** How long its embedding should take still, where the server knows. */
  expectedSeconds: number | null
  problem: string | null
}

const TRY_AGAIN_MS = 2000
/** Of the photos held; more of them would cost memory that the one at hand needs. The first two are held whatever they are. */
const MOST_PIXELS = 40_000_000
const ALWAYS_HELD = 2

const EMPTY: ShelvedPhoto = { picture: null, isReady: false, expectedSeconds: null, problem: null }

/** The photo at hand and the next ones, with what the decoder needs of them, fetched before they are asked for. */
export class PhotoShelf {
  private readonly photos = new Map<string, ShelvedPhoto>()
  /** Under which assignment each is held; a lease that was taken again has a new one. */
  private readonly assignments = new Map<string, string>()
  private readonly aborts = new Map<string, AbortController>()
  private readonly listeners = new Set<() => void>()

  constructor(
    private readonly decoder: DecoderClient,
    private readonly painter: PainterClient,
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get(image: string | undefined): ShelvedPhoto {
    return (image && this.photos.get(image)) || EMPTY
  }

  /** Have these, in this order, as many as there is room for, and nothing else. */
  hold(leased: readonly Assignment[]): void {
    let pixels = 0
    const assignments = leased.filter(({ image: { width, height } }, index) => {
      pixels += width * height
      return index < ALWAYS_HELD || pixels <= MOST_PIXELS
    })
    const wanted = new Set(assignments.map(({ image }) => image.id))
    for (const image of [...this.photos.keys()]) if (!wanted.has(image)) this.drop(image)
    for (const assignment of assignments) {
      const { image, id } = assignment
      this.assignments.set(image.id, id)
      if (this.photos.has(image.id)) this.decoder.moved(image.id, id)
      else this.fetch(assignment)
    }
  }

  private drop(image: string): void {
    this.aborts.get(image)?.abort()
    this.aborts.delete(image)
    this.assignments.delete(image)
    this.photos.get(image)?.picture?.close()
    this.photos.delete(image)
    this.painter.forget(image)
    this.decoder.forgetPhoto(image)
  }

  private change(image: string, change: Partial<ShelvedPhoto>): void {
    const now = this.photos.get(image)
    if (!now) return
    this.photos.set(image, { ...now, ...change })
    for (const listener of this.listeners) listener()
  }

  private fetch({ image, checkpoint }: Assignment): void {
    const abort = new AbortController()
    const { signal } = abort
    this.aborts.set(image.id, abort)
    this.photos.set(image.id, EMPTY)
    const failed = (error: unknown) => {
      if (signal.aborted) return
      this.change(image.id, { problem: error instanceof Error ? error.message : String(error) })
    }
    const loadPicture = async () => {
      const blob = await (await bytesOf(image.pixels_url, { signal })).blob()
      if (signal.aborted) return
      const picture = await this.painter.load(image.id, blob, image)
      if (signal.aborted) picture.close()
      else this.change(image.id, { picture, problem: null })
    }
    const loadEmbedding = async () => {
      const url = `/api/images/${image.id}/embedding/${checkpoint.encoder_hash}/`
      const onWait = (expectedSeconds: number | null) => this.change(image.id, { expectedSeconds })
      const [response] = await Promise.all([
        bytesOf(url, { signal, onWait }),
        this.decoder.load(checkpoint.decoder_hash, checkpoint.decoder_url),
      ])
      const embedding = await response.arrayBuffer()
      // Released meanwhile, where the photos before needed another one; else this costs nothing.
      await this.decoder.load(checkpoint.decoder_hash, checkpoint.decoder_url)
      if (signal.aborted) return
      this.decoder.addPhoto({
        photo: image.id,
        assignment: this.assignments.get(image.id)!,
        size: { height: image.height, width: image.width },
        inputSide: checkpoint.input_side,
        embeddingShape: checkpoint.embedding_shape,
        embedding,
        decoderHash: checkpoint.decoder_hash,
      })
      this.change(image.id, { isReady: true, expectedSeconds: null, problem: null })
    }
    const persist = async (load: () => Promise<void>) => {
      while (!signal.aborted) {
        try {
          return await load()
        } catch (error) {
          failed(error)
          if (!isPassing(error)) return
          await new Promise(resolve => setTimeout(resolve, TRY_AGAIN_MS))
        }
      }
    }
    void persist(loadPicture)
    void persist(loadEmbedding)
  }
}
