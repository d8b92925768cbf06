import { bytesOf, persist, type Schemas } from '@/shared/api/client'
import { roomFor } from '@/shared/geometry/room'
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
  /** Why the photo does not come. */
  pictureProblem: string | null
  /** Why clicks cannot be answered. */
  modelProblem: string | null
  /** Whether they never will be: it is not tried again by itself. */
  isModelOut: boolean
}

/** Of the photos held; more of them would cost memory that the one at hand needs. The first two are held whatever they are. */
const MOST_PIXELS = 40_000_000
const ALWAYS_HELD = 2
/** Of those that are decoded, each pixel of which takes five bytes and a third. The one at hand is decoded whatever it is. */
const MOST_DECODED_PIXELS = 130_000_000

const EMPTY: ShelvedPhoto = {
  picture: null,
  isReady: false,
  expectedSeconds: null,
  pictureProblem: null,
  modelProblem: null,
  isModelOut: false,
}

/** The photo at hand and the next ones, with what the decoder needs of them, fetched before they are asked for. */
export class PhotoShelf {
  private readonly photos = new Map<string, ShelvedPhoto>()
  /** Under which assignment each is held; a lease that was taken again has a new one. */
  private readonly assignments = new Map<string, string>()
  private readonly aborts = new Map<string, AbortController>()
  /** The photos' files, so that one whose pixels had to go is not fetched again. */
  private readonly files = new Map<string, Blob>()
  /** Those whose pixels there is room for. */
  private decodable = new Set<string>()
  /** Those that the painter has, or is about to have. */
  private readonly decoded = new Set<string>()
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
    const all = leased.map(({ image }) => image)
    const images = all.slice(0, roomFor(all, MOST_PIXELS, ALWAYS_HELD))
    const wanted = new Set(images.map(({ id }) => id))
    for (const image of [...this.photos.keys()]) if (!wanted.has(image)) this.drop(image)
    const room = roomFor(images, MOST_DECODED_PIXELS, 1)
    this.decodable = new Set(images.slice(0, room).map(({ id }) => id))
    for (const image of [...this.decoded]) if (!this.decodable.has(image)) this.undecode(image)
    for (const assignment of leased.slice(0, images.length)) {
      const { image, id } = assignment
      this.assignments.set(image.id, id)
      if (this.photos.has(image.id)) this.decoder.moved(image.id, id)
      else this.fetch(assignment)
      this.decode(image)
    }
  }

  private drop(image: string): void {
    this.aborts.get(image)?.abort()
    this.aborts.delete(image)
    this.assignments.delete(image)
    this.files.delete(image)
    this.undecode(image)
    this.photos.delete(image)
    this.decoder.forgetPhoto(image)
  }

  private undecode(image: string): void {
    this.decoded.delete(image)
    this.painter.forget(image)
    this.photos.get(image)?.picture?.close()
    this.change(image, { picture: null })
  }

  private decode(image: Assignment['image']): void {
    const { id } = image
    const file = this.files.get(id)
    if (!file || !this.decodable.has(id) || this.decoded.has(id)) return
    this.decoded.add(id)
    const { signal } = this.aborts.get(id)!
    this.painter.load(id, file, image).then(
      picture => {
        if (signal.aborted) picture.close()
        else this.change(id, { picture, pictureProblem: null })
      },
      (error: unknown) => {
        if (!signal.aborted)
          this.change(id, { pictureProblem: error instanceof Error ? error.message : String(error) })
      },
    )
  }

  private change(image: string, change: Partial<ShelvedPhoto>): void {
    const now = this.photos.get(image)
    if (!now) return
    this.photos.set(image, { ...now, ...change })
    for (const listener of this.listeners) listener()
  }

  private fetch(assignment: Assignment): void {
    const { image } = assignment
    const abort = new AbortController()
    const { signal } = abort
    this.aborts.set(image.id, abort)
    this.photos.set(image.id, EMPTY)
    const loadFile = async () => {
      const file = await (await bytesOf(image.pixels_url, { signal })).blob()
      if (signal.aborted) return
      this.files.set(image.id, file)
      this.change(image.id, { pictureProblem: null })
      this.decode(image)
    }
    void persist(loadFile, signal, pictureProblem => this.change(image.id, { pictureProblem }))
    this.fetchEmbedding(assignment, signal)
  }

  /** Ask once more for the embedding of a photo that could not be had: the server tries again after some minutes. */
  tryAgain(assignment: Assignment): void {
    const { id } = assignment.image
    const abort = this.aborts.get(id)
    if (!abort || !this.get(id).isModelOut) return
    this.change(id, { modelProblem: null, isModelOut: false })
    this.fetchEmbedding(assignment, abort.signal)
  }

  private fetchEmbedding({ image, checkpoint }: Assignment, signal: AbortSignal): void {
    const load = async () => {
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
      this.change(image.id, { isReady: true, expectedSeconds: null, modelProblem: null })
    }
    void persist(load, signal, (modelProblem, isModelOut) =>
      this.change(image.id, { modelProblem, isModelOut }),
    )
  }
}
