/** Longer pauses than this are not work on the mask. */
export const IDLE_SECONDS = 10

/**
 * Seconds of work on a mask: the time between things that the hand does (moves, presses, keys, the wheel), each gap counted up
 * to `IDLE_SECONDS`, from the mask before (or the photo's opening) to Enter. While the tab is hidden, or a dialog lies over the
 * photo, nothing is counted. The server checks that the sum can have passed (`backend/annotation/seconds.py`).
 */
export class ActiveClock {
  private seconds = 0
  private last: number | null = null
  private isHeld = false

  /** @param now in milliseconds. */
  touch(now: number): void {
    if (this.isHeld) return
    this.seconds += this.gap(now)
    this.last = now
  }

  /** The tab was hidden, or a dialog opened: what comes until it is back does not count. */
  hold(now: number): void {
    this.touch(now)
    this.isHeld = true
    this.last = null
  }

  goOn(now: number): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.last = now
  }

  /** What has come together so far. */
  peek(now: number): number {
    return this.seconds + this.gap(now)
  }

  /** What has come together since the last time; and start anew. */
  take(now: number): number {
    this.touch(now)
    const taken = this.seconds
    this.seconds = 0
    return taken
  }

  private gap(now: number): number {
    return this.last === null ? 0 : Math.min((now - this.last) / 1000, IDLE_SECONDS)
  }
}
