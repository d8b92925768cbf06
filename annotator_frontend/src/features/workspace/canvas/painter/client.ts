import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Size } from '@/shared/geometry/points'
import { runsOf } from '@/shared/geometry/rowRuns'
import { Painter } from './painter'
import type { FromPainter, Scene, ShownMask, ToPainter } from './protocol'

type Rgb = readonly [number, number, number]

function canDrawElsewhere(): boolean {
  return typeof OffscreenCanvas !== 'undefined' && 'transferControlToOffscreen' in HTMLCanvasElement.prototype
}

/**
 * The page's side of the painter: in a worker where canvases can be handed over, else on this thread. Where the worker breaks,
 * this thread goes on with all that it had.
 */
export class PainterClient {
  private worker: Worker | null = null
  private local: Painter | null = null
  private place: { host: HTMLElement; className: string; canvases: HTMLCanvasElement[] } | null = null
  private readonly photos = new Map<string, { blob: Blob; size: Size }>()
  private scene: Scene | null = null
  private shown: readonly ShownMask[] = []
  private readonly loading = new Map<
    string,
    { resolve: (small: ImageBitmap) => void; reject: (error: Error) => void }
  >()
  private readonly thumbnails = new Map<string, ((picture: Blob | null) => void)[]>()
  private readonly sent = new Map<string, Bitmask>()
  private serial = 0

  /** Called with the number that `show` returned, when that can be seen. */
  onDrawn: (serial: number) => void = () => {}

  constructor() {
    if (canDrawElsewhere()) {
      this.worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
      this.worker.onmessage = ({ data }: MessageEvent<FromPainter>) => this.hear(data)
      this.worker.onerror = () => this.goOnHere()
    } else {
      this.local = new Painter(message => this.hear(message))
    }
  }

  /** Draw into this element from now on. Returns how to stop. */
  attach(host: HTMLElement, className: string): () => void {
    this.place = { host, className, canvases: [] }
    this.hang()
    return () => {
      this.send({ kind: 'detach' })
      for (const canvas of this.place?.canvases ?? []) canvas.remove()
      this.place = null
    }
  }

  /** New canvases: those that were handed over to a worker do not come back. */
  private hang(): void {
    if (!this.place) return
    const { host, className, canvases: old } = this.place
    for (const canvas of old) canvas.remove()
    const canvases = [0, 1].map(() => {
      const canvas = document.createElement('canvas')
      canvas.className = className
      canvas.ariaHidden = 'true'
      return canvas
    })
    this.place.canvases = canvases
    host.prepend(...canvases)
    const [photo, masks] = this.worker
      ? canvases.map(canvas => canvas.transferControlToOffscreen())
      : canvases
    this.send(
      { kind: 'attach', photo: photo!, masks: masks! },
      this.worker ? ([photo, masks] as Transferable[]) : [],
    )
  }

  /**
   * Have a photo ready to be drawn.
   *
   * @returns the whole photo, small.
   * @throws where it cannot be read.
   */
  load(photo: string, blob: Blob, size: Size): Promise<ImageBitmap> {
    return new Promise((resolve, reject) => {
      this.loading.set(photo, { resolve, reject })
      this.photos.set(photo, { blob, size })
      this.send({ kind: 'load', photo, blob, size })
    })
  }

  forget(photo: string): void {
    this.loading.delete(photo)
    this.photos.delete(photo)
    this.send({ kind: 'forget', photo })
  }

  look(scene: Scene): void {
    this.scene = scene
    this.send({ kind: 'scene', scene })
  }

  /**
   * Draw these, lowest first, and nothing else.
   *
   * @returns a number that `onDrawn` is called with.
   */
  show(masks: readonly ShownMask[]): number {
    this.shown = masks
    this.serial++
    this.sendShown()
    return this.serial
  }

  private sendShown(): void {
    const masks = this.shown
    const gone = new Set(this.sent.keys())
    for (const { id, mask } of masks) {
      gone.delete(id)
      if (this.sent.get(id) === mask) continue
      this.send({ kind: 'shape', id, runs: runsOf(mask) })
      this.sent.set(id, mask)
    }
    for (const id of gone) this.sent.delete(id)
    this.send({ kind: 'show', masks: masks.map(({ mask: _, ...shown }) => shown), serial: this.serial })
  }

  /** A small square picture of a mask with the photo around it; null where either is not there. */
  thumbnail(photo: string, id: string, side: number, colour: Rgb): Promise<Blob | null> {
    return new Promise(resolve => {
      this.thumbnails.set(id, [...(this.thumbnails.get(id) ?? []), resolve])
      this.send({ kind: 'thumbnail', photo, id, side, colour })
    })
  }

  stop(): void {
    this.worker?.terminate()
  }

  private send(message: ToPainter, transfer: Transferable[] = []): void {
    if (this.worker) this.worker.postMessage(message, transfer)
    else this.local!.hear(message)
  }

  /** The worker is broken: out of memory, or it could not be started. */
  private goOnHere(): void {
    if (this.local) return
    this.worker?.terminate()
    this.worker = null
    this.local = new Painter(message => this.hear(message))
    this.hang()
    for (const [photo, { blob, size }] of this.photos) this.send({ kind: 'load', photo, blob, size })
    if (this.scene) this.send({ kind: 'scene', scene: this.scene })
    this.sent.clear()
    this.sendShown()
    // Photos come later, so there is nothing to make pictures of yet.
    for (const waiting of this.thumbnails.values()) for (const resolve of waiting) resolve(null)
    this.thumbnails.clear()
  }

  private hear(message: FromPainter): void {
    switch (message.kind) {
      case 'loaded': {
        const waiting = this.loading.get(message.photo)
        this.loading.delete(message.photo)
        if (waiting) waiting.resolve(message.small)
        else message.small.close()
        return
      }
      case 'not loaded':
        this.loading.get(message.photo)?.reject(new Error(message.message))
        this.loading.delete(message.photo)
        return
      case 'drawn':
        this.onDrawn(message.serial)
        return
      case 'thumbnail': {
        const [first, ...rest] = this.thumbnails.get(message.id) ?? []
        if (rest.length) this.thumbnails.set(message.id, rest)
        else this.thumbnails.delete(message.id)
        first?.(message.picture)
      }
    }
  }
}
