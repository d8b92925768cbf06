/** Who has done nothing for so long is not there. */
const AWAY_MS = 15 * 60_000
const SIGNS_OF_LIFE = ['pointermove', 'pointerdown', 'keydown', 'wheel'] as const

/** Whether somebody is at the page. */
export class Presence {
  private last: number

  /** @param onReturn told when somebody is there again. */
  constructor(
    private readonly onReturn: () => void,
    private readonly now: () => number = Date.now,
  ) {
    this.last = now()
  }

  get isAway(): boolean {
    return this.now() - this.last >= AWAY_MS
  }

  /** Somebody did something. */
  touch = (): void => {
    const wasAway = this.isAway
    this.last = this.now()
    if (wasAway) this.onReturn()
  }

  /** Listen to the window until the returned function is called. */
  watch(window: Pick<Window, 'addEventListener' | 'removeEventListener'>): () => void {
    for (const sign of SIGNS_OF_LIFE)
      window.addEventListener(sign, this.touch, { capture: true, passive: true })
    return () => {
      for (const sign of SIGNS_OF_LIFE) window.removeEventListener(sign, this.touch, { capture: true })
    }
  }
}
