import type { Candidate } from '../decoder/protocol'
import type { Document } from './document'

/** Which of the masks that are offered is meant; it may be said before they are there. */
export class Choice {
  /** A place among them, counted round; null: nobody has said anything. */
  private wished: number | null = null

  forget(): void {
    this.wished = null
  }

  /** This one, once they are there. */
  wish(place: number): void {
    this.wished = place
  }

  wishNext(by: 1 | -1): void {
    this.wished = (this.wished ?? 0) + by
  }

  /**
   * They are there: the place of the one that is meant, and whether that was wished. A wish is fulfilled once.
   *
   * @param own the model's number of the mask that was chosen of an answer to the same question; it stays chosen.
   */
  among(
    candidates: readonly Candidate[],
    own: number | null | undefined,
  ): { chosen: number; isWish: boolean } {
    const kept = candidates.findIndex(({ index }) => index === own)
    const wished = kept < 0 ? this.wished : null
    this.wished = null
    if (wished === null) return { chosen: Math.max(kept, 0), isWish: false }
    return { chosen: around(wished, candidates.length), isWish: true }
  }
}

/** Whether the masks of a lone prompt, among which one is chosen, are still to come. */
export function isFirstAwaited({
  isWaiting,
  prompts,
  answers,
}: Pick<Document, 'prompts' | 'answers'> & { isWaiting: boolean }): boolean {
  return isWaiting && prompts.length === 1 && answers !== prompts
}

/** What the model learns of a choice: which of its masks the first prompt meant. Later ones say nothing of that. */
export function pickOf({ prompts, picked }: Document, candidate: Candidate | undefined): Document['picked'] {
  const [prompt, ...others] = prompts
  const isOfFirst = prompt !== undefined && !others.length && candidate && candidate.index !== null
  return isOfFirst ? { prompt, index: candidate.index } : picked
}

/** A place in a list of so many, counted round; in none the first. */
export function around(place: number, count: number): number {
  return count ? ((place % count) + count) % count : 0
}
