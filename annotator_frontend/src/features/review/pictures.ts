import { bytesOf, persist } from '@/shared/api/client'
import { roomFor } from '@/shared/geometry/room'
import type { Question } from './verifying'

/** What there is of a question's photo. */
export interface ShownPicture {
  picture: ImageBitmap | null
  /** Why it is not there, so far. */
  problem: string | null
  /** Trying again does not help: it will not be there at all. */
  isLost: boolean
}

interface Held {
  abort: AbortController
  blob: Blob | null
  /** Whether there is room for its pixels. */
  hasRoom: boolean
  isDecoding: boolean
  shown: ShownPicture
}

/** Photos that are fetched: the one on show and those that come. */
const MOST_FETCHED = 6
/** Of those that are decoded. The one on show is, whatever it is. */
const MOST_PIXELS = 40_000_000

const COMING: ShownPicture = { picture: null, problem: null, isLost: false }

/** The photo of the first question and those of the next ones: fetched before they are needed, and decoded as far as there is room. */
export class Pictures {
  private readonly held = new Map<string, Held>()
  private readonly listeners = new Set<() => void>()

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get(image: string | undefined): ShownPicture {
    return (image && this.held.get(image)?.shown) || COMING
  }

  /** Have the photos of these questions, in this order, and no others. */
  hold(ahead: readonly Question[]): void {
    const photos = [...new Map(ahead.map(question => [question.image.id, question])).values()]
    const next = photos.slice(0, MOST_FETCHED)
    const sizes = next.map(({ size }) => ({ height: size[0]!, width: size[1]! }))
    const room = roomFor(sizes, MOST_PIXELS, 1)
    const wanted = new Set(next.map(({ image }) => image.id))
    for (const image of [...this.held.keys()]) if (!wanted.has(image)) this.drop(image)
    for (const [index, { image }] of next.entries()) {
      const own = this.held.get(image.id)
      if (own) own.hasRoom = index < room
      else this.fetch(image, index < room)
    }
    // Those that have none any more make room first.
    for (const [image, { hasRoom, shown }] of this.held) {
      if (hasRoom || !shown.picture) continue
      shown.picture.close()
      this.change(image, { picture: null })
    }
    for (const image of this.held.keys()) void this.decode(image)
  }

  private drop(image: string): void {
    const own = this.held.get(image)
    own?.abort.abort()
    own?.shown.picture?.close()
    this.held.delete(image)
  }

  private change(image: string, change: Partial<ShownPicture>): void {
    const own = this.held.get(image)
    if (!own) return
    own.shown = { ...own.shown, ...change }
    for (const listener of this.listeners) listener()
  }

  private fetch({ id, pixels_url }: Question['image'], hasRoom: boolean): void {
    const abort = new AbortController()
    const { signal } = abort
    const own: Held = { abort, blob: null, hasRoom, isDecoding: false, shown: COMING }
    this.held.set(id, own)
    const load = async () => {
      own.blob = await (await bytesOf(pixels_url, { signal })).blob()
      if (signal.aborted) return
      this.change(id, { problem: null })
      void this.decode(id)
    }
    void persist(load, signal, (problem, isFinal) => this.change(id, { problem, isLost: isFinal }))
  }

  private async decode(image: string): Promise<void> {
    const own = this.held.get(image)
    if (!own?.blob || !own.hasRoom || own.isDecoding || own.shown.picture || own.shown.isLost) return
    own.isDecoding = true
    try {
      const picture = await createImageBitmap(own.blob)
      // There may be no room for it by now.
      if (this.held.get(image) === own && own.hasRoom) this.change(image, { picture })
      else picture.close()
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      if (this.held.get(image) === own) this.change(image, { problem, isLost: true })
    }
    own.isDecoding = false
  }
}
