import type { Box } from '@/shared/geometry/points'
import { type Canvas, type Context, drawOver, drawPhoto, newCanvas, thumbnailOf } from './drawing'
import { copy, drawMask, onPlate, type Plate, Shapes, wipe } from './plate'
import type { FromPainter, Scene, Shown, ToPainter } from './protocol'
import { SMALL_SIDE_PX } from './protocol'
import { Pyramid } from './pyramid'

/** `ground`: the same picture without the masks in work. A click then draws those alone, however many others there are. */
type DrawnPlate = Plate & { image: ImageData; canvas: Canvas; ground: Plate }

/** Of the window's width and height, on each side: so far a hand can move before masks are composed anew. */
const MARGIN = 0.3
const SLICE_MS = 8
const SETTLED_MS = 60

/**
 * Draws the photo and the masks. It has no idea of the page: it runs in a worker with canvases that were handed over, or,
 * where there are none, on the page's own thread.
 *
 * Masks are composed into a plate, once for each change and each zoom, a slice at a time; a frame moves what is there. While
 * a zoom goes on, the plate of the zoom before is stretched until the new one is ready.
 */
export class Painter {
  private photoCanvas: Canvas | null = null
  private maskCanvas: Canvas | null = null
  private scene: Scene | null = null
  private readonly photos = new Map<string, Pyramid>()
  private readonly wanted = new Set<string>()
  private settling: ReturnType<typeof setTimeout> | undefined
  private readonly shapes = new Map<string, Shapes>()
  private shown: readonly Shown[] = []
  private serial = 0
  private told = 0
  private plate: DrawnPlate | null = null
  private composing: { next: number; masks: readonly Shown[]; plate: DrawnPlate } | null = null
  /** One that nothing shows any more: the next one is made in it. */
  private spare: DrawnPlate | null = null
  /** Where masks have changed and the plate has not, in the photo's pixels; of those, where the ground has not. */
  private dirty: Box[] = []
  private dirtyGround: Box[] = []
  private isFrameDue = false
  private isSliceDue = false
  /** A timer would wait for some milliseconds between two slices. */
  private readonly slices = new MessageChannel()

  constructor(private readonly tell: (message: FromPainter, transfer?: Transferable[]) => void) {
    this.slices.port1.onmessage = () => {
      this.isSliceDue = false
      this.compose()
    }
  }

  hear(message: ToPainter): void {
    switch (message.kind) {
      case 'attach':
        this.photoCanvas = message.photo
        this.maskCanvas = message.masks
        this.askForFrame()
        return
      case 'detach':
        this.photoCanvas = this.maskCanvas = null
        return
      case 'load':
        this.wanted.add(message.photo)
        void this.load(message.photo, message.blob)
        return
      case 'forget':
        this.wanted.delete(message.photo)
        this.photos.get(message.photo)?.close()
        this.photos.delete(message.photo)
        return
      case 'scene':
        if (this.scene?.photo !== message.scene.photo) this.clear()
        this.scene = message.scene
        this.composeIfNeeded()
        this.askForFrame()
        return
      case 'shape': {
        const { id, runs } = message
        const before = this.shapes.get(id)?.box
        this.shapes.set(id, new Shapes(runs))
        const isInWork = this.shown.some(shown => shown.id === id && shown.isInWork)
        if (before) for (const box of [before, runs.box]) this.hasChanged(box, isInWork)
        return
      }
      case 'show':
        this.show(message.masks, message.serial)
        return
      case 'thumbnail':
        void this.thumbnail(message)
        return
    }
  }

  private async load(photo: string, blob: Blob): Promise<void> {
    try {
      const pyramid = await Pyramid.of(blob)
      if (!this.wanted.has(photo)) {
        pyramid.close()
        return
      }
      this.photos.get(photo)?.close()
      this.photos.set(photo, pyramid)
      const share = Math.min(1, SMALL_SIDE_PX / Math.max(pyramid.width, pyramid.height))
      const small = await createImageBitmap(pyramid.for(share), {
        resizeWidth: Math.max(1, Math.round(pyramid.width * share)),
        resizeHeight: Math.max(1, Math.round(pyramid.height * share)),
        resizeQuality: 'medium',
      })
      this.tell({ kind: 'loaded', photo, small }, [small])
      this.askForFrame()
    } catch (error) {
      this.tell({
        kind: 'not loaded',
        photo,
        message: error instanceof Error ? error.message : String(error),
      })
    }
  }

  /** Another photo: nothing of the one before may lie over it, and its masks are still to come. */
  private clear(): void {
    clearTimeout(this.settling)
    this.drop()
    this.spare ??= this.plate
    this.plate = null
    this.shown = []
    this.dirty = []
    this.dirtyGround = []
  }

  private hasChanged(box: Box, isInWork = false): void {
    this.dirty.push(box)
    if (!isInWork) this.dirtyGround.push(box)
  }

  /** Give up what is being composed. */
  private drop(): void {
    if (this.composing) this.spare = this.composing.plate
    this.composing = null
  }

  private show(masks: readonly Shown[], serial: number): void {
    const before = new Map(this.shown.map((shown, index) => [shown.id, { shown, index }]))
    const boxOf = (id: string): Box => this.shapes.get(id)?.box ?? [0, 0, 0, 0]
    let seen = -1
    for (const { id, style, isInWork } of masks) {
      const own = before.get(id)
      before.delete(id)
      const isAsBefore =
        own && own.index > seen && own.shown.isInWork === isInWork && isSameStyle(own.shown.style, style)
      if (own) seen = Math.max(seen, own.index)
      if (!isAsBefore) this.hasChanged(boxOf(id), isInWork && (!own || own.shown.isInWork))
    }
    for (const [id, { shown }] of before) this.hasChanged(boxOf(id), shown.isInWork)
    const shown = new Set(masks.map(({ id }) => id))
    for (const id of this.shapes.keys()) if (!shown.has(id)) this.shapes.delete(id)
    this.shown = masks
    this.serial = serial
    this.refresh()
    this.askForFrame()
  }

  /** Draw anew where masks have changed. A plate that is being composed is finished first. */
  private refresh(): void {
    const { plate } = this
    if (this.composing || !plate) return
    const clipsOf = (boxes: readonly Box[]) =>
      apart(boxes.map(box => onPlate(plate, box)).filter(clip => areaOf(clip) > 0))
    const grounds = clipsOf(this.dirtyGround)
    const isLarge =
      grounds.reduce((sum, clip) => sum + areaOf(clip), 0) > LARGE_SHARE * areaOf(wholeOf(plate))
    if (this.dirtyGround.length > MANY || (isLarge && this.shown.length > FEW)) {
      this.composeAll()
      return
    }
    for (const clip of grounds) {
      wipe(plate.ground, clip)
      for (const shown of this.shown) if (!shown.isInWork) this.draw(plate.ground, shown, clip)
    }
    for (const clip of clipsOf(this.dirty)) this.finish(plate, this.shown, clip)
    this.dirty = []
    this.dirtyGround = []
    this.askForFrame()
  }

  private draw(plate: Plate, { id, style }: Shown, clip: Box): void {
    const shapes = this.shapes.get(id)
    if (shapes) drawMask(plate, shapes, style, clip)
  }

  /** The ground, and the masks in work on it. */
  private finish(plate: DrawnPlate, masks: readonly Shown[], clip: Box): void {
    copy(plate.ground, plate, clip)
    for (const shown of masks) if (shown.isInWork) this.draw(plate, shown, clip)
    show(plate, clip)
  }

  private composeIfNeeded(): void {
    const { scene, plate, composing } = this
    if (!scene) return
    const target = composing?.plate ?? plate
    if (target && serves(target, scene)) return
    const isSameScale = target?.scale === scene.view.scale * scene.ratio
    // Begun anew at every move, it would be done when the hand rests: it is finished, and then seen to be too small.
    if (composing && isSameScale) return
    clearTimeout(this.settling)
    if (!target || isSameScale) this.composeAll()
    else {
      // In the middle of a zoom every plate would be too late.
      this.drop()
      this.settling = setTimeout(() => this.composeAll(), SETTLED_MS)
    }
  }

  /** All masks anew, for what the window shows now. What is there stays on show until it is done. */
  private composeAll(): void {
    if (!this.scene) return
    clearTimeout(this.settling)
    const { view, pane, ratio } = this.scene
    const scale = view.scale * ratio
    const [marginX, marginY] = [
      Math.round(pane.width * ratio * MARGIN),
      Math.round(pane.height * ratio * MARGIN),
    ]
    const width = Math.max(1, Math.round(pane.width * ratio) + 2 * marginX)
    const height = Math.max(1, Math.round(pane.height * ratio) + 2 * marginY)
    const left = -Math.round(view.offsetX * ratio) - marginX
    const top = -Math.round(view.offsetY * ratio) - marginY
    this.drop()
    const { ground, ...blank } = this.blank(width, height)
    const place = { scale, left, top }
    this.composing = {
      next: 0,
      masks: this.shown,
      plate: { ...blank, ...place, ground: { ...ground, ...place } },
    }
    this.dirty = []
    this.dirtyGround = []
    this.askForSlice()
  }

  /** A plate's room: the spare one's, where that is as large. */
  private blank(width: number, height: number): Omit<DrawnPlate, 'scale' | 'left' | 'top'> {
    const { spare } = this
    this.spare = null
    if (spare?.width === width && spare.height === height) {
      spare.ground.data.fill(0)
      return spare
    }
    const image = new ImageData(width, height)
    const { data } = image
    const ground: Plate = {
      width,
      height,
      scale: 1,
      left: 0,
      top: 0,
      data: new Uint8ClampedArray(data.length),
    }
    return { width, height, data, image, canvas: newCanvas(width, height), ground }
  }

  private askForSlice(): void {
    if (this.isSliceDue) return
    this.isSliceDue = true
    this.slices.port2.postMessage(null)
  }

  private compose(): void {
    const { composing } = this
    if (!composing) return
    const { plate, masks } = composing
    const all = wholeOf(plate)
    const until = performance.now() + SLICE_MS
    while (composing.next < masks.length) {
      const shown = masks[composing.next++]!
      if (!shown.isInWork) this.draw(plate.ground, shown, all)
      if (performance.now() > until) break
    }
    if (composing.next < masks.length) {
      this.askForSlice()
      return
    }
    this.finish(plate, masks, all)
    this.composing = null
    this.spare = this.plate
    this.plate = plate
    // What has changed since it was begun.
    this.composeIfNeeded()
    this.refresh()
    this.askForFrame()
  }

  private askForFrame(): void {
    if (this.isFrameDue || !this.photoCanvas) return
    this.isFrameDue = true
    requestAnimationFrame(() => {
      this.isFrameDue = false
      this.frame()
    })
  }

  private frame(): void {
    const { scene, photoCanvas, maskCanvas } = this
    if (!scene || !photoCanvas || !maskCanvas) return
    const width = Math.max(1, Math.round(scene.pane.width * scene.ratio))
    const height = Math.max(1, Math.round(scene.pane.height * scene.ratio))
    for (const canvas of [photoCanvas, maskCanvas]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    }
    const pyramid = scene.photo === null ? undefined : this.photos.get(scene.photo)
    drawPhoto(photoCanvas.getContext('2d') as Context, pyramid, scene)
    const over = maskCanvas.getContext('2d') as Context
    this.frameMasks(over, scene)
    if (pyramid) drawOver(over, pyramid, scene)
    const isDrawn = !this.composing && this.plate?.scale === scene.view.scale * scene.ratio
    if (this.told !== this.serial && isDrawn) {
      this.told = this.serial
      this.tell({ kind: 'drawn', serial: this.serial })
    }
  }

  private frameMasks(context: Context, { view, ratio, isHidden }: Scene): void {
    const { plate } = this
    const { width, height } = context.canvas
    context.clearRect(0, 0, width, height)
    const scale = view.scale * ratio
    const [left, top] = [Math.round(view.offsetX * ratio), Math.round(view.offsetY * ratio)]
    if (plate && !isHidden && this.shown.length) {
      const stretch = scale / plate.scale
      context.imageSmoothingEnabled = stretch !== 1
      context.drawImage(
        plate.canvas,
        left + plate.left * stretch,
        top + plate.top * stretch,
        plate.width * stretch,
        plate.height * stretch,
      )
    }
  }

  private async thumbnail(asked: Extract<ToPainter, { kind: 'thumbnail' }>): Promise<void> {
    const { photo, id } = asked
    const [pyramid, shapes] = [this.photos.get(photo), this.shapes.get(id)]
    const picture = pyramid && shapes ? await thumbnailOf(pyramid, shapes, asked) : null
    this.tell({ kind: 'thumbnail', id, picture })
  }
}

/** More changes than this at once, and everything is composed anew. */
const MANY = 8
const LARGE_SHARE = 0.5
const FEW = 24

function isSameStyle(a: Shown['style'], b: Shown['style']): boolean {
  return (
    a.fill === b.fill &&
    a.line === b.line &&
    a.isDashed === b.isDashed &&
    a.colour.every((part, index) => part === b.colour[index])
  )
}

function serves(plate: Plate, { view, pane, ratio }: Scene): boolean {
  if (plate.scale !== view.scale * ratio) return false
  const left = -Math.round(view.offsetX * ratio)
  const top = -Math.round(view.offsetY * ratio)
  return (
    plate.left <= left &&
    plate.top <= top &&
    plate.left + plate.width >= left + Math.round(pane.width * ratio) &&
    plate.top + plate.height >= top + Math.round(pane.height * ratio)
  )
}

function areaOf([x0, y0, x1, y1]: Box): number {
  return Math.max(0, x1 - x0) * Math.max(0, y1 - y0)
}

function wholeOf({ width, height }: Plate): Box {
  return [0, 0, width, height]
}

/** The same places without drawing any twice: boxes that meet become one. */
export function apart(boxes: readonly Box[]): Box[] {
  const all: Box[] = []
  for (let own of boxes) {
    for (let i = 0; i < all.length; ) {
      const [x0, y0, x1, y1] = all[i]!
      const isMet = x0 < own[2] && own[0] < x1 && y0 < own[3] && own[1] < y1
      if (!isMet) {
        i++
        continue
      }
      own = [Math.min(x0, own[0]), Math.min(y0, own[1]), Math.max(x1, own[2]), Math.max(y1, own[3])]
      all.splice(i, 1)
      i = 0 // larger now, it may meet those passed before
    }
    all.push(own)
  }
  return all
}

function show({ canvas, image }: { canvas: Canvas; image: ImageData }, [x0, y0, x1, y1]: Box): void {
  const context = canvas.getContext('2d') as Context
  context.putImageData(image, 0, 0, x0, y0, x1 - x0, y1 - y0)
}
