import { createStore, type StoreApi } from 'zustand/vanilla'
import type { Schemas } from '@/shared/api/client'
import type { Answer, Verdict } from './verdictOutbox'

export type Question = Schemas['QuestionJson']
export type Reason = NonNullable<Schemas['QuestionsJson']['reason']>

/** Fewer than so many ahead: ask for more, while the person looks at these. */
const FEW_AHEAD = 8
const MOST_REMEMBERED = 50
/** Nobody looks at one outline longer than this: they went away. */
const LONGEST_SECONDS = 60

export interface VerifyingState {
  /** The first one is before the person's eyes. */
  ahead: readonly Question[]
  /** Answered, the newest last: what can be gone back to. */
  past: readonly { question: Question; answer: Answer }[]
  /** Why there is nothing ahead; null while something may come. */
  reason: Reason | null
  answered: number
  /** The question whose outline the person has had before their eyes: no other one is answered. */
  looked: string | null
  /** The question whose photo cannot be shown: what is said of it is that nobody can tell. */
  unshown: string | null
}

export interface VerifyingEffects {
  ask: (besides: string[]) => Promise<{ questions: readonly Question[]; reason: Reason | null }>
  tell: (verdict: Verdict) => void
  failed: (error: unknown) => void
  newId: () => string
  now: () => number
}

/** One outline after the other, the next ones at hand already. No React, no DOM, no server. */
export class Verifying {
  readonly store: StoreApi<VerifyingState>
  private readonly done = new Set<string>()
  private isAsking = false
  private shownAt: number

  constructor(private readonly effects: VerifyingEffects) {
    this.store = createStore<VerifyingState>(() => ({
      ahead: [],
      past: [],
      reason: null,
      answered: 0,
      looked: null,
      unshown: null,
    }))
    this.shownAt = effects.now()
  }

  get state(): VerifyingState {
    return this.store.getState()
  }

  /** See to it that there is enough ahead. */
  async fill(): Promise<void> {
    if (this.isAsking || this.state.ahead.length >= FEW_AHEAD) return
    this.isAsking = true
    try {
      // Answers that are still on their way count as open at the server: name them, too.
      const besides = [...this.state.ahead.map(({ id }) => id), ...[...this.done].slice(-100)]
      const { questions, reason } = await this.effects.ask(besides)
      const wasEmpty = !this.state.ahead.length
      const known = new Set(this.state.ahead.map(({ id }) => id))
      const fresh = questions.filter(({ id }) => !known.has(id) && !this.done.has(id))
      this.store.setState(({ ahead }) => ({
        ahead: [...ahead, ...fresh],
        reason: fresh.length ? null : reason,
      }))
      if (wasEmpty) this.shownAt = this.effects.now()
    } catch (error) {
      this.effects.failed(error)
    } finally {
      this.isAsking = false
    }
  }

  /** The outline has been on show for long enough to be seen. */
  look(question: string): void {
    if (this.state.ahead[0]?.id === question) this.store.setState({ looked: question })
  }

  /** There is no photo to look at. */
  cannotLook(question: string): void {
    if (this.state.ahead[0]?.id === question) this.store.setState({ unshown: question })
  }

  /**
   * Answer the one on show; the next takes its place at once. Returns whether there was one, and it was looked at, or is handed on
   * because nobody can.
   */
  answer(answer: Answer): boolean {
    const [question, ...ahead] = this.state.ahead
    if (!question) return false
    const isHandedOn = answer === 'unsure' && this.state.unshown === question.id
    if (!isHandedOn && this.state.looked !== question.id) return false
    const now = this.effects.now()
    const seconds = Math.min((now - this.shownAt) / 1000, LONGEST_SECONDS)
    this.shownAt = now
    this.done.add(question.id)
    this.store.setState(({ past, answered }) => ({
      ahead,
      looked: null,
      unshown: null,
      past: [...past, { question, answer }].slice(-MOST_REMEMBERED),
      answered: answered + 1,
    }))
    this.effects.tell({ id: this.effects.newId(), question: question.id, answer, seconds })
    void this.fill()
    return true
  }

  /** Back to the one before. Its answer stands until another is given. */
  back(): boolean {
    const last = this.state.past.at(-1)
    if (!last) return false
    this.done.delete(last.question.id)
    this.shownAt = this.effects.now()
    this.store.setState(({ ahead, past, answered }) => ({
      ahead: [last.question, ...ahead],
      past: past.slice(0, -1),
      answered: answered - 1,
      reason: null,
      looked: null,
      unshown: null,
    }))
    return true
  }
}
