/** Enter came before the answer. */
interface Promised {
  /** Of work on the object, up to the key press. */
  seconds: number
  /** What was done since: it is for the next object. */
  afterwards: (() => void)[]
  whenSettled: (() => void) | null
}

/**
 * The promise to accept the object in work as soon as its answer is there. What hands do meanwhile waits: it happens once the
 * object is accepted, to the next one, and never to this one. A promise that is broken leaves nothing of that to be done.
 */
export class AcceptPromise {
  private promised: Promised | null = null
  /** Seconds of promises that were broken, and of objects that are in work once more: they were spent on what is accepted next. */
  private secondsBefore = 0

  get isMade(): boolean {
    return this.promised !== null
  }

  /** Whether anything waits, so that there is a next object by now. */
  get isFollowed(): boolean {
    return this.promised !== null && this.promised.afterwards.length > 0
  }

  make(seconds: number): void {
    this.promised = { seconds, afterwards: [], whenSettled: null }
  }

  /** Have this wait, where there is a promise. Returns whether it does. */
  postpone(act: () => void): boolean {
    this.promised?.afterwards.push(act)
    return this.isMade
  }

  /** What was postponed last is not done after all. */
  dropLast(): void {
    this.promised?.afterwards.pop()
  }

  /** Do this once nothing is promised any more; not at all where a promise is broken. */
  whenSettled(act: () => void): void {
    if (this.promised) this.promised.whenSettled = act
    else act()
  }

  /** Returns whether there was one. */
  break(): boolean {
    if (!this.promised) return false
    this.secondsBefore += this.promised.seconds
    this.promised = null
    return true
  }

  /**
   * The answer is there.
   *
   * @param accept returns whether the object could be; else the promise is broken.
   * @returns whether it was kept, or there was none.
   */
  keep(accept: (seconds: number) => boolean): boolean {
    if (!this.promised) return true
    const { seconds, afterwards, whenSettled } = this.promised
    this.break()
    if (!accept(seconds)) return false
    this.secondsBefore = 0
    for (const act of afterwards) act()
    if (whenSettled) this.whenSettled(whenSettled)
    return true
  }

  /** An object is in work once more, with its seconds; negative: it is accepted once more, with them. */
  owe(seconds: number): void {
    this.secondsBefore = Math.max(0, this.secondsBefore + seconds)
  }

  /** What the next object begins with, were the promise broken now. */
  get seconds(): number {
    return this.secondsBefore + (this.promised?.seconds ?? 0)
  }

  /** Seconds spent before; they are counted once. */
  takeSeconds(): number {
    const seconds = this.secondsBefore
    this.secondsBefore = 0
    return seconds
  }
}
