import { createStore, type StoreApi } from 'zustand/vanilla'
import { areaOf, type Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { encode } from '@/shared/geometry/runLengths'
import type { Candidate } from '../decoder/protocol'

/** A mask that was accepted here, or was on the photo before. */
export interface AcceptedMask {
  id: string
  mask: Bitmask
  counts: string
  origin: 'assisted' | 'brush' | 'proposed' | 'automatic' | 'imported'
  prompts: readonly Prompt[]
  predictedIou: number | null
  stability: number | null
  choice: number | null
  seconds: number | null
  clicks: number
  /** Whether it was made under the assignment at hand: submitting names these. */
  isNew: boolean
}

/** What one undo step goes back to. Immutable. */
interface Document {
  prompts: readonly Prompt[]
  /** Answers to `answers`, which is `prompts` unless the decoder is still at it. */
  candidates: readonly Candidate[]
  answers: readonly Prompt[]
  chosen: number
  masks: readonly AcceptedMask[]
}

export interface EditorState extends Document {
  photo: string | null
  /** Counts what was asked of the decoder; an answer to an older revision is dropped. */
  revision: number
  isWaiting: boolean
  past: readonly Document[]
  future: readonly Document[]
  selected: string | null
}

/** What the editor wants done outside. */
export interface EditorEffects {
  ask: (photo: string, revision: number, prompts: readonly Prompt[], fedBack: Float32Array | null) => void
  put: (mask: AcceptedMask) => void
  remove: (id: string) => void
  newId: () => string
  secondsSpent: () => number
}

const NO_PROMPTS: readonly Prompt[] = []
const EMPTY: Document = { prompts: NO_PROMPTS, candidates: [], answers: NO_PROMPTS, chosen: 0, masks: [] }
const MOST_UNDO_STEPS = 200

/** The object in work and the photo's masks, with undo. No React, no DOM, no server. */
export class Editor {
  readonly store: StoreApi<EditorState>

  constructor(private readonly effects: EditorEffects) {
    this.store = createStore<EditorState>(() => ({
      ...EMPTY,
      photo: null,
      revision: 0,
      isWaiting: false,
      past: [],
      future: [],
      selected: null,
    }))
  }

  /** Begin with a photo and the masks that it has. Nothing can be undone beyond this. */
  open(photo: string, masks: readonly AcceptedMask[]): void {
    const { revision } = this.state
    this.store.setState({
      ...EMPTY,
      photo,
      masks,
      revision: revision + 1,
      isWaiting: false,
      past: [],
      future: [],
      selected: null,
    })
  }

  /** No photo is there. */
  close(): void {
    this.store.setState({ ...EMPTY, photo: null, isWaiting: false, past: [], future: [], selected: null })
  }

  get state(): EditorState {
    return this.store.getState()
  }

  /** A click or a box for the object in work. A second box takes the first one's place. */
  addPrompt(prompt: Prompt): void {
    const { photo, prompts, candidates, chosen, revision } = this.state
    if (photo === null) return
    const kept = prompt.kind === 'box' ? prompts.filter(({ kind }) => kind !== 'box') : prompts
    const next = [...kept, prompt]
    // The logits of what is on show go back in; on the very first prompt there is nothing on show.
    const fedBack = next.length > 1 ? (candidates[chosen]?.logits ?? null) : null
    this.step({ prompts: next })
    this.store.setState({ revision: revision + 1, isWaiting: true, selected: null })
    this.effects.ask(photo, revision + 1, next, fedBack)
  }

  /** The decoder's answer, best first. */
  answered(photo: string, revision: number, candidates: readonly Candidate[]): void {
    const state = this.state
    if (photo !== state.photo || revision !== state.revision) return
    this.store.setState({ candidates, answers: state.prompts, chosen: 0, isWaiting: false })
  }

  /** The decoder could not answer. */
  failed(photo: string | null, revision: number | null): void {
    const state = this.state
    if (photo === state.photo && revision === state.revision) this.store.setState({ isWaiting: false })
  }

  choose(index: number): void {
    if (this.state.candidates[index]) this.store.setState({ chosen: index })
  }

  /** The next of the masks that are offered. */
  cycle(by: 1 | -1 = 1): void {
    const { candidates, chosen } = this.state
    if (candidates.length > 1) this.choose((chosen + by + candidates.length) % candidates.length)
  }

  /** Take the mask on show as an object. Returns whether there was one. */
  accept(): boolean {
    const { candidates, answers, chosen, prompts, masks, isWaiting, revision } = this.state
    const candidate = candidates[chosen]
    if (!candidate || isWaiting || answers !== prompts || areaOf(candidate.mask) === 0) return false
    const accepted: AcceptedMask = {
      id: this.effects.newId(),
      mask: candidate.mask,
      counts: encode(candidate.mask),
      origin: 'assisted',
      prompts,
      predictedIou: candidate.predictedIou,
      stability: candidate.stability,
      choice: candidate.index,
      seconds: this.effects.secondsSpent(),
      clicks: prompts.length,
      isNew: true,
    }
    this.step({ ...EMPTY, masks: [...masks, accepted] })
    this.store.setState({ revision: revision + 1, selected: null })
    this.effects.put(accepted)
    return true
  }

  /** Give the object in work up. Returns whether there was one. */
  clear(): boolean {
    const { prompts, masks, revision } = this.state
    if (!prompts.length) return false
    this.step({ ...EMPTY, masks })
    this.store.setState({ revision: revision + 1, isWaiting: false })
    return true
  }

  select(id: string | null): void {
    this.store.setState({ selected: id })
  }

  remove(id: string): void {
    const { masks } = this.state
    if (!masks.some(mask => mask.id === id)) return
    this.step({ masks: masks.filter(mask => mask.id !== id) })
    this.store.setState({ selected: null })
    this.effects.remove(id)
  }

  undo(): void {
    const { past, future } = this.state
    const before = past.at(-1)
    if (before) this.goTo(before, past.slice(0, -1), [...future, this.document()])
  }

  redo(): void {
    const { past, future } = this.state
    const after = future.at(-1)
    if (after) this.goTo(after, [...past, this.document()], future.slice(0, -1))
  }

  private document(): Document {
    const { prompts, candidates, answers, chosen, masks } = this.state
    return { prompts, candidates, answers, chosen, masks }
  }

  private step(change: Partial<Document>): void {
    const past = [...this.state.past, this.document()].slice(-MOST_UNDO_STEPS)
    this.store.setState({ ...change, past, future: [] })
  }

  private goTo(target: Document, past: readonly Document[], future: readonly Document[]): void {
    const { masks, revision, photo } = this.state
    const wanted = new Set(target.masks.map(mask => mask.id))
    const present = new Set(masks.map(mask => mask.id))
    for (const mask of masks) if (!wanted.has(mask.id)) this.effects.remove(mask.id)
    const renamed = new Map<string, AcceptedMask>()
    for (const mask of target.masks) {
      if (present.has(mask.id)) continue
      // The server has the old row as rejected, and geometry and state of a row are never taken back: a new row.
      const origin = mask.origin === 'brush' ? 'brush' : 'assisted'
      const again: AcceptedMask = { ...mask, id: this.effects.newId(), origin, isNew: true }
      renamed.set(mask.id, again)
      this.effects.put(again)
    }
    const current = (document: Document): Document =>
      renamed.size
        ? { ...document, masks: document.masks.map(mask => renamed.get(mask.id) ?? mask) }
        : document
    this.store.setState({
      ...current(target),
      past: past.map(current),
      future: future.map(current),
      revision: revision + 1,
      isWaiting: false,
      selected: null,
    })
    // A step whose answer had not come yet when it was left: ask again.
    if (photo !== null && target.answers !== target.prompts) {
      this.store.setState({ isWaiting: true })
      this.effects.ask(photo, revision + 1, target.prompts, null)
    }
  }
}
