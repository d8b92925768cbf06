import type { Prompt } from '@/shared/geometry/modelFrame'
import type { ImagePoint } from '@/shared/geometry/points'
import type { Candidate } from '../decoder/protocol'

export interface Previewed {
  prompt: Prompt
  candidates: readonly Candidate[]
  /** Border of the best one, its pieces in turn, made where the decoder is. */
  edges: Float32Array
}

/** The hand rests for so long before the decoder is asked; longer where the decoder is slower. */
const REST_MS = 80
/** A decoder slower than this has no time for guesses. */
const TOO_SLOW_MS = 300
/** And asked again after so long: it may have had a lot to do. */
const TRY_AGAIN_MS = 10_000
/** Where there was no answer, the next question waits for so long. */
const NO_ANSWER_MS = 1000

/**
 * What a click would give. Asked for only where the hand rests, one question at a time, so that a click waits for one run of
 * the decoder at most. A click at the place that was asked about has its answer already.
 */
export class HoverPreview {
  shown: Previewed | null = null
  private asked: { id: number; prompt: Prompt; at: number } | null = null
  private at: ImagePoint | null = null
  private isHeld = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private ids = 0
  private slowestMs = 0
  private answeredAt = Number.NEGATIVE_INFINITY
  /** The next question comes no earlier. */
  private notBefore = Number.NEGATIVE_INFINITY
  onChange: () => void = () => {}

  constructor(
    private readonly ask: (id: number, prompt: Prompt) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * The hand is somewhere.
   *
   * @param isWanted a click there would begin an object.
   * @param reach what is no move: a hand that presses shakes by a screen pixel.
   */
  move(at: ImagePoint, isWanted: boolean, reach = 0): void {
    if (isWanted && !this.isHeld && this.at && distance(this.at, at) <= reach) return
    if (this.slowestMs >= TOO_SLOW_MS && this.now() - this.answeredAt >= TRY_AGAIN_MS) this.slowestMs = 0
    this.at = isWanted && this.slowestMs < TOO_SLOW_MS ? at : null
    this.isHeld = false
    this.show(null)
    this.wait()
  }

  /** The hand presses: nothing new is asked, and what is there stays until it is known what the press was. */
  hold(): void {
    clearTimeout(this.timer)
    this.isHeld = true
  }

  leave(): void {
    clearTimeout(this.timer)
    this.at = null
    this.show(null)
  }

  /** Another photo: what was asked is about the old one. */
  reset(): void {
    this.leave()
    this.asked = null
  }

  answered(id: number, candidates: readonly Candidate[], edges: Float32Array): void {
    if (this.asked?.id !== id) return
    const { prompt, at } = this.asked
    this.asked = null
    this.answeredAt = this.now()
    // Slowly forgotten: it rests longer for a while. No answer says nothing of how long one takes.
    if (candidates.length) this.slowestMs = Math.max(this.answeredAt - at, this.slowestMs * 0.8)
    else this.notBefore = this.answeredAt + NO_ANSWER_MS
    if (candidates.length && this.at && isAt(prompt, this.at)) this.show({ prompt, candidates, edges })
    else this.wait()
  }

  /**
   * What a click is the same as, where that is known already.
   *
   * @param reach how far from the place that was asked about still is that place, in the photo's pixels.
   */
  takeFor(prompt: Prompt, reach: number): Previewed | null {
    const { shown } = this
    this.leave()
    return shown && prompt.kind === 'point' && prompt.label === 1 && isAt(shown.prompt, prompt.at, reach)
      ? shown
      : null
  }

  private show(shown: Previewed | null): void {
    if (shown === this.shown) return
    this.shown = shown
    this.onChange()
  }

  private wait(): void {
    clearTimeout(this.timer)
    if (!this.at || this.asked || this.isHeld) return
    const at = this.at
    this.timer = setTimeout(
      () => {
        this.asked = { id: ++this.ids, prompt: { kind: 'point', at, label: 1 }, at: this.now() }
        this.ask(this.asked.id, this.asked.prompt)
      },
      Math.max(REST_MS, this.slowestMs, this.notBefore - this.now()),
    )
  }
}

function isAt(prompt: Prompt, at: ImagePoint, reach = 0): boolean {
  return prompt.kind === 'point' && distance(prompt.at, at) <= reach
}

function distance(a: ImagePoint, b: ImagePoint): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}
