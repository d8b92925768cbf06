import { clampPoint, type ImagePoint } from '@/shared/geometry/points'
import type { Hand, HandAt } from './hand'
import { type Extent, panned, toPhoto, type View, zoomed } from './panTool'

const NEAR_SCREEN_PX = 4
/** A key that is held goes faster and faster, up to this. */
const FASTEST_SCREEN_PX = 24
const FAR_SCREEN_PX = 60
const PAN_SCREEN_PX = 80
const ZOOM_STEP = 1.25
/** The crosshair stays this far inside the window; the photo moves instead. */
const MARGIN_SCREEN_PX = 32
const SAME_RUN_MS = 150

/** What is seen of the photo, and how that is changed. */
export interface Window {
  view: () => View
  pane: () => Extent
  photo: () => Extent
  show: (view: View) => void
}

/**
 * A hand without a mouse: a crosshair that keys move, and keys that press where it is. To the tools it is the same hand, so
 * all of them work: a click, a box, a stroke, a polygon's corners.
 */
export class KeyboardHand {
  /** Pixels of the photo; null: not in use. */
  at: ImagePoint | null = null
  /** Pressed down, until it is let go at another place. */
  held: { isBackground: boolean } | null = null
  private run = { steps: 0, last: Number.NEGATIVE_INFINITY }
  private readonly listeners = new Set<() => void>()

  constructor(
    private readonly hand: Pick<Hand, 'down' | 'move' | 'up' | 'letGo'>,
    private readonly window: Window,
    private readonly now: () => number = () => performance.now(),
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** One step; -1, 0 or 1 each way. */
  move(right: number, down: number, isFar: boolean): void {
    const now = this.now()
    this.run = { steps: now - this.run.last < SAME_RUN_MS ? this.run.steps + 1 : 0, last: now }
    const step = isFar ? FAR_SCREEN_PX : Math.min(NEAR_SCREEN_PX + this.run.steps, FASTEST_SCREEN_PX)
    const { x, y } = this.place()
    const { scale } = this.window.view()
    this.go({ x: x + (right * step) / scale, y: y + (down * step) / scale })
  }

  /** Down and up at one place. */
  click(isBackground: boolean): void {
    this.letGo()
    this.go(this.place())
    this.hand.down(this.handAt(isBackground, false))
    this.hand.up(this.handAt(isBackground, false))
    this.changed()
  }

  /** Down, or, where it is down, up: what lies between is dragged. */
  press(isBackground: boolean): void {
    if (this.held) {
      const { isBackground: same } = this.held
      this.held = null
      this.hand.up(this.handAt(same, true))
    } else {
      this.go(this.place())
      this.held = { isBackground }
      this.hand.down(this.handAt(isBackground, false))
    }
    this.changed()
  }

  pan(right: number, down: number): void {
    this.window.show(panned(this.window.view(), -right * PAN_SCREEN_PX, -down * PAN_SCREEN_PX))
    if (this.at) this.go(this.inside(this.at))
  }

  /** At the crosshair, or in the middle of the window. */
  zoom(by: 1 | -1): void {
    const { pane, photo, view, show } = this.window
    const middle = { x: pane().width / 2, y: pane().height / 2 }
    const at_screen = this.at ? this.toScreen(this.at) : middle
    show(zoomed(view(), by > 0 ? ZOOM_STEP : 1 / ZOOM_STEP, at_screen, photo(), pane()))
    this.changed()
  }

  /** The gesture was given up. */
  letGo(): void {
    this.held = null
    this.changed()
  }

  /** The mouse has taken over, or another photo is there. */
  leave(): void {
    if (!this.at) return
    this.at = null
    if (this.held) this.hand.letGo()
    this.held = null
    this.changed()
  }

  toScreen({ x, y }: ImagePoint): ImagePoint {
    const { scale, offsetX, offsetY } = this.window.view()
    return { x: x * scale + offsetX, y: y * scale + offsetY }
  }

  /** Where it is, or, at first, the middle of what is seen. */
  private place(): ImagePoint {
    if (this.at) return this.at
    const { width, height } = this.window.pane()
    return clampPoint(toPhoto(this.window.view(), { x: width / 2, y: height / 2 }), this.window.photo())
  }

  private go(to: ImagePoint): void {
    this.at = clampPoint(to, this.window.photo())
    this.follow()
    this.hand.move([this.handAt(this.held?.isBackground ?? false, this.held !== null)])
    this.changed()
  }

  /** Move the photo where the crosshair would leave the window. */
  private follow(): void {
    const { x, y } = this.toScreen(this.at!)
    const { width, height } = this.window.pane()
    const [dx, dy] = [beyond(x, width), beyond(y, height)]
    if (dx || dy) this.window.show(panned(this.window.view(), -dx, -dy))
  }

  private inside(at: ImagePoint): ImagePoint {
    const { x, y } = this.toScreen(at)
    const { width, height } = this.window.pane()
    const at_screen = { x: x - beyond(x, width), y: y - beyond(y, height) }
    return toPhoto(this.window.view(), at_screen)
  }

  /** Its keys for the background have Shift: with the tool that selects, they select one more. */
  private handAt(isBackground: boolean, isDrag: boolean): HandAt {
    const { scale } = this.window.view()
    return { at: this.at!, scale, isDrag, isBackground, isSelecting: false, isShift: isBackground }
  }

  private changed(): void {
    for (const listener of this.listeners) listener()
  }
}

/** How far a place lies outside the margins of a length; negative: before it. */
function beyond(at: number, length: number): number {
  const margin = Math.min(MARGIN_SCREEN_PX, length / 4)
  return at < margin ? at - margin : Math.max(0, at - (length - margin))
}
