import { type Extent, fitted, type View } from '../tools/panTool'

type Later = (tell: () => void) => unknown

/**
 * What the window shows of a photo. It is outside React: a hand that pans changes it many times between two frames, every
 * change counts from the one before, and in each frame those who draw are told once.
 */
export class Seen {
  /** null: the whole photo, in the middle. */
  private own: View | null = null
  private whole: View
  private isTold = true
  private readonly listeners = new Set<() => void>()

  constructor(
    readonly photo: Extent,
    /** The window's size, CSS pixels. */
    public pane: Extent,
    private readonly later: Later = tell => requestAnimationFrame(tell),
  ) {
    this.whole = fitted(photo, pane)
  }

  get = (): View => this.own ?? this.whole

  show(view: View | null): void {
    this.own = view
    if (!this.isTold) return
    this.isTold = false
    this.later(this.tell)
  }

  /** Told at once: the frame in which the window changes is about to be drawn. */
  resize(pane: Extent): void {
    this.pane = pane
    this.whole = fitted(this.photo, pane)
    this.tell()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private tell = (): void => {
    this.isTold = true
    for (const listener of this.listeners) listener()
  }
}
