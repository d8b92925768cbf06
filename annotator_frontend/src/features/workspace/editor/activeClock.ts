/** Longer pauses than this are not work on the mask. */
export const IDLE_SECONDS = 10

/**
 * Seconds of work on a mask: the time between things that the hand does, each gap counted up to `IDLE_SECONDS`, from the
 * mask before (or the photo's opening) to Enter. While the tab is hidden nothing is counted.
 */
export class ActiveClock {
  private seconds = 0
  private last: number | null = null

  /** @param now in milliseconds. */
  touch(now: number): void {
    if (this.last !== null) this.seconds += Math.min((now - this.last) / 1000, IDLE_SECONDS)
    this.last = now
  }

  /** The tab was hidden: what comes until the next touch does not count. */
  pause(): void {
    this.last = null
  }

  /** What has come together since the last time; and start anew. */
  take(now: number): number {
    this.touch(now)
    const taken = this.seconds
    this.seconds = 0
    return taken
  }
}
