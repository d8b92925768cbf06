import { createStore, type StoreApi } from 'zustand/vanilla'
import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import {
  boxOfTiles,
  emptyMask,
  flattened,
  Painter,
  type Patched,
  patched,
  repatched,
} from '@/shared/geometry/patched'
import type { Box, Size } from '@/shared/geometry/points'
import { difference, partsOf, union, withoutHoles, withoutIslands } from '@/shared/geometry/regions'
import { encode } from '@/shared/geometry/runLengths'
import type { Candidate } from '../decoder/protocol'
import {
  type AcceptedMask,
  type Document,
  isBusy,
  isEmpty,
  NO_OBJECT,
  type Painted,
  renamed,
  shownMask,
} from './document'
import { type Fault, faultOf } from './fault'
import { paintOnto, type Shape } from './shape'

export type { AcceptedMask } from './document'

export interface EditorState extends Document {
  photo: string | null
  size: Size
  /** Counts what was asked of the decoder; an answer to an older revision is dropped. */
  revision: number
  isWaiting: boolean
  /** It is accepted as soon as its answer is there. */
  isPromised: boolean
  /** A stroke goes on: what it paints on is shown by whoever shows the stroke. */
  isPainting: boolean
  /** What the newest click did wrong, until something else is done. */
  fault: Fault | null
  past: readonly Document[]
  future: readonly Document[]
  /** What clicks and strokes correct, and what is subtracted from. Never a locked one. */
  selected: string | null
  /** Selected besides, to merge or to subtract. */
  alsoSelected: readonly string[]
}

/** What the editor wants done outside. */
export interface EditorEffects {
  /** @param fedBack logits of the mask before, or a mask that logits are to be made of. */
  ask: (
    photo: string,
    revision: number,
    prompts: readonly Prompt[],
    fedBack: Float32Array | Bitmask | null,
  ) => void
  put: (mask: AcceptedMask) => void
  remove: (id: string) => void
  /** It was to be accepted as soon as its answer was there, and has no mask. */
  notAccepted: () => void
  newId: () => string
  secondsSpent: () => number
}

/** What came of an operation: done, how many it was about; or why not. */
export type Outcome =
  | { done: true; count: number }
  | { done: false; why: 'too many' | 'nothing' | 'select' | 'select two' | 'empty' | 'waiting' }

const NOTHING: Outcome = { done: false, why: 'nothing' }
const MOST_UNDO_STEPS = 200
/** What answers in the steps may take. These many steps are kept whatever they take. */
const MOST_UNDO_BYTES = 256 * 2 ** 20
const LEAST_UNDO_STEPS = 20
const MOST_PARTS = 20
const NEW_PHOTO = {
  ...NO_OBJECT,
  masks: [],
  isWaiting: false,
  isPromised: false,
  isPainting: false,
  fault: null,
  past: [],
  future: [],
  selected: null,
  alsoSelected: [],
}

/** The object in work and the photo's masks, with undo. No React, no DOM, no server. */
export class Editor {
  readonly store: StoreApi<EditorState>
  /** A stroke that the hand is still at. */
  private live: { shape: Shape; painter: Painter; drawn: number } | null = null

  /**
   * Enter came before the answer. `afterwards` is what was done since, to the next object: it happens once this one is accepted, and
   * never to this one.
   */
  private promised: { seconds: number; afterwards: (() => void)[]; whenSettled: (() => void) | null } | null =
    null
  /** Seconds of a promise that was broken: they were spent on what is accepted next. */
  private secondsBefore = 0

  /** Masks that the undo of one mask brought back, and what they are in the steps. */
  private readonly cameBack = new Map<string, string>()

  constructor(private readonly effects: EditorEffects) {
    this.store = createStore<EditorState>(() => ({
      ...NEW_PHOTO,
      photo: null,
      size: { height: 0, width: 0 },
      revision: 0,
    }))
  }

  /** Begin with a photo and the masks that it has. Nothing can be undone beyond this. */
  open(photo: string, masks: readonly AcceptedMask[], size: Size): void {
    this.breakPromise()
    this.secondsBefore = 0
    this.live = null
    this.cameBack.clear()
    this.store.setState({ ...NEW_PHOTO, photo, masks, size, revision: this.state.revision + 1 })
  }

  /** No photo is there. */
  close(): void {
    this.breakPromise()
    this.live = null
    this.store.setState({ ...NEW_PHOTO, photo: null })
  }

  /** The object in work, which nobody has accepted yet, as plain data; null: there is none. */
  draft(): Omit<Document, 'masks'> | null {
    const { masks: _, ...draft } = this.document()
    return isBusy(draft) ? draft : null
  }

  /** Go on with a draft that an earlier page left, unless something is in work already. Of another version's draft, what fits. */
  restore(kept: unknown): void {
    const { photo, masks } = this.state
    const draft = { ...NO_OBJECT, ...(kept as Partial<Document> | null | undefined), masks }
    if (photo === null || isBusy(this.state) || !Array.isArray(draft.prompts) || !isBusy(draft)) return
    // What it corrects may be gone meanwhile: then it is an object of its own.
    if (!masks.some(({ id }) => id === draft.refines)) draft.refines = null
    this.goTo(draft, [...this.state.past, this.document()], [])
  }

  get state(): EditorState {
    return this.store.getState()
  }

  get isBusy(): boolean {
    return isBusy(this.state)
  }

  // Prompts.

  /**
   * A click or a box for the object in work, or for the selected mask, which is then in work. A second box, or text, takes the first
   * one's place: the model knows one box, two corners, and was never trained on more.
   *
   * @param known the answer, where somebody has asked already what this would give.
   */
  addPrompt(prompt: Prompt, known: readonly Candidate[] | null = null): void {
    if (this.state.photo === null) return
    if (this.promised) {
      this.promised.afterwards.push(() => this.addPrompt(prompt))
      return
    }
    const { prompts, candidates, chosen, painted } = this.state
    const refines = this.refinesNext()
    const kept = prompt.kind === 'point' ? prompts : prompts.filter(({ kind }) => kind !== prompt.kind)
    const next = [...kept, prompt]
    // What is on show goes back in; on the very first prompt there is nothing on show. Of a mask that is corrected the pixels
    // go in: each click changes it where it is, and nothing else of it.
    const shown = next.length > 1 ? candidates[chosen] : undefined
    const fedBack = painted
      ? flattened(painted.pixels)
      : refines
        ? (shown?.mask ?? this.maskOf(refines))
        : (shown?.logits ?? null)
    const isFirst = next.length === 1 && fedBack === null
    this.ask(next, fedBack, refines, isFirst ? known : null)
  }

  /** Another place for a prompt, or none. What was shown came of the old ones, so it does not go back in. */
  changePrompt(index: number, prompt: Prompt | null): void {
    const { prompts, refines, masks } = this.state
    if (!prompts[index]) return
    const next = prompt ? prompts.with(index, prompt) : prompts.toSpliced(index, 1)
    if (next.length) {
      this.ask(next, this.maskOf(refines), refines)
    } else {
      this.step({ ...NO_OBJECT, masks })
      this.store.setState({ selected: refines })
    }
  }

  private ask(
    prompts: readonly Prompt[],
    fedBack: Float32Array | Bitmask | null,
    refines: string | null,
    known: readonly Candidate[] | null = null,
  ): void {
    const { painted } = this.state
    const photo = this.state.photo!
    this.step({ prompts, fedBack, refines, painted })
    const { revision } = this.state
    this.store.setState({ isWaiting: true, selected: null, alsoSelected: [] })
    if (known) this.answered(photo, revision, known)
    else this.effects.ask(photo, revision, prompts, fedBack)
  }

  /** The decoder's answer, best first. */
  answered(photo: string, revision: number, candidates: readonly Candidate[]): void {
    const state = this.state
    if (photo !== state.photo || revision !== state.revision) return
    // Only a click on top of others can wreck what they made; one that was moved or taken away is no such click.
    const before = state.past.at(-1)
    const isAdded = before && state.prompts.length === before.prompts.length + 1
    const shown = isAdded && (before.prompts.length > 0 || state.fedBack) ? shownMask(state) : null
    const fault = shown && candidates[0] ? faultOf(shown, candidates[0].mask, state.prompts) : null
    this.store.setState({
      candidates,
      answers: state.prompts,
      chosen: 0,
      painted: null,
      isWaiting: false,
      fault,
    })
    this.keepPromise()
  }

  /** The decoder could not answer. */
  failed(photo: string | null, revision: number | null): void {
    const state = this.state
    if (photo !== state.photo || revision !== state.revision) return
    this.store.setState({ isWaiting: false })
    if (this.breakPromise()) this.effects.notAccepted()
  }

  choose(index: number): void {
    if (!this.state.candidates[index]) return
    this.breakPromise()
    this.store.setState({ chosen: index })
  }

  /** The next of the masks that are offered. */
  cycle(by: 1 | -1 = 1): void {
    const { candidates, chosen } = this.state
    if (candidates.length > 1) this.choose((chosen + by + candidates.length) % candidates.length)
  }

  // Pixels.

  /** Show a stroke that goes on. Its path may have grown since: only what is new is painted. */
  preview(shape: Shape): void {
    if (this.state.photo === null) return
    if (this.live?.shape.path !== shape.path) {
      this.live = { shape, painter: new Painter(this.pixelsNext()), drawn: 0 }
      this.store.setState({ isPainting: true })
    }
    this.live.drawn = paintOnto(this.live.painter, shape, this.live.drawn, this.state.size)
  }

  /** Give a stroke up that goes on: it leaves no trace. */
  dropPreview(): void {
    this.live = null
    if (this.state.isPainting) this.store.setState({ isPainting: false })
  }

  /** What is painted now, for showing it; null where nothing is. */
  pixelsShown(): Patched | null {
    return this.live?.painter.look() ?? this.state.painted?.pixels ?? null
  }

  /** What the stroke that goes on has touched since this was asked last. */
  takeTouched(): Box | null {
    return this.live ? boxOfTiles(this.live.painter.takeDirty(), this.state.size) : null
  }

  /** A stroke or an outline that is complete: one step of undo. It begins an object where none is in work or selected. */
  paint(shape: Shape): void {
    if (this.state.photo === null) return
    if (this.promised) {
      this.dropPreview()
      this.promised.afterwards.push(() => this.paint(shape))
      return
    }
    this.preview(shape)
    const pixels = this.live!.painter.look()
    this.live = null
    this.setPixels(pixels)
  }

  /** Take the small islands away, and where there are none, all parts but the largest. Of the object in work or selected. */
  removeIslands(): Outcome {
    return this.clean(withoutIslands)
  }

  fillHoles(): Outcome {
    return this.clean(withoutHoles)
  }

  private clean(by: typeof withoutHoles): Outcome {
    const { isWaiting, selected } = this.state
    if (!isBusy(this.state) && selected === null) return { done: false, why: 'select' }
    if (isWaiting) return { done: false, why: 'waiting' }
    const before = isBusy(this.state) ? shownMask(this.state) : this.maskOf(selected)
    const { mask, count } = before ? by(before) : { mask: null, count: 0 }
    if (!mask || !count) return NOTHING
    if (isBusy(this.state)) this.setPixels(repatched(this.pixelsInWork(), mask))
    else this.exchange([selected!], [this.made(mask, selected)])
    return { done: true, count }
  }

  /** What a stroke goes onto: nothing yet, where it belongs to the next object. */
  private pixelsNext(): Patched {
    return this.promised ? patched(emptyMask(this.state.size)) : this.pixelsInWork()
  }

  private pixelsInWork(): Patched {
    const { painted, candidates, chosen, size } = this.state
    if (painted) return painted.pixels
    return patched(candidates[chosen]?.mask ?? this.maskOf(this.refinesNext()) ?? emptyMask(size))
  }

  private setPixels(pixels: Patched): void {
    const { prompts, candidates, chosen, painted } = this.state
    const from: Painted['from'] = painted ? painted.from : (candidates[chosen] ?? null)
    this.step({ painted: { pixels, from }, candidates: [], answers: prompts, refines: this.refinesNext() })
    this.store.setState({ isWaiting: false, selected: null, alsoSelected: [] })
  }

  // Objects.

  /**
   * Take the mask on show as an object, or in the place of the one that it corrects; as soon as its answer is there, where the
   * model is still at it. Returns whether there is one, or will be.
   *
   * @param seconds of work on it, where that was asked already.
   */
  accept(seconds?: number): boolean {
    if (this.promised) {
      // Enter again is about the same object, unless there is another by now.
      const { afterwards } = this.promised
      const spent = afterwards.length ? (seconds ?? this.secondsSpent()) : 0
      if (afterwards.length) afterwards.push(() => this.accept(spent))
      return true
    }
    if (!this.state.isWaiting || !isBusy(this.state)) return this.acceptNow(seconds)
    this.promised = { seconds: seconds ?? this.secondsSpent(), afterwards: [], whenSettled: null }
    this.store.setState({ isPromised: true })
    return true
  }

  /** Do this once no object waits to be accepted; not at all where it comes to nothing. */
  whenSettled(act: () => void): void {
    if (this.promised) this.promised.whenSettled = act
    else act()
  }

  /** Accept nothing by itself, and leave undone what was to be done then. Returns whether there was anything. */
  breakPromise(): boolean {
    if (!this.promised) return false
    this.secondsBefore += this.promised.seconds
    this.promised = null
    this.dropPreview()
    this.store.setState({ isPromised: false })
    return true
  }

  private keepPromise(): void {
    if (!this.promised) return
    const { seconds, afterwards, whenSettled } = this.promised
    this.breakPromise()
    if (!this.acceptNow(seconds)) {
      this.effects.notAccepted()
      return
    }
    this.secondsBefore = 0
    for (const act of afterwards) act()
    if (whenSettled) this.whenSettled(whenSettled)
  }

  private secondsSpent(): number {
    const seconds = this.secondsBefore + this.effects.secondsSpent()
    this.secondsBefore = 0
    return seconds
  }

  private acceptNow(seconds?: number): boolean {
    const { candidates, answers, chosen, prompts, masks, isWaiting, painted, refines } = this.state
    const mask = painted ? flattened(painted.pixels) : candidates[chosen]?.mask
    if (!mask || isWaiting || answers !== prompts || isEmpty(mask)) return false
    const model = painted ? painted.from : candidates[chosen]!
    const accepted: AcceptedMask = {
      ...this.made(mask, refines, seconds),
      origin: painted ? 'brush' : 'assisted',
      prompts,
      predictedIou: model?.predictedIou ?? null,
      stability: model?.stability ?? null,
      choice: model?.index ?? null,
      cropBox: model?.region ?? null,
      clicks: prompts.length,
    }
    const place = masks.findIndex(({ id }) => id === refines)
    this.step({ ...NO_OBJECT, masks: place < 0 ? [...masks, accepted] : masks.with(place, accepted) })
    this.store.setState({ selected: null, alsoSelected: [] })
    this.effects.put(accepted)
    return true
  }

  /** Give the object in work up. Returns whether there was one. */
  clear(): boolean {
    if (!isBusy(this.state)) return false
    this.step({ ...NO_OBJECT, masks: this.state.masks })
    return true
  }

  select(id: string | null): void {
    if (id !== null && !this.canTouch(id)) return
    this.breakPromise()
    this.store.setState({ selected: id, alsoSelected: [] })
  }

  /** Select one more, or one less. */
  alsoSelect(id: string): void {
    const all = this.selection()
    if (!this.canTouch(id)) return
    this.breakPromise()
    const [selected = null, ...alsoSelected] = all.includes(id)
      ? all.filter(other => other !== id)
      : [...all, id]
    this.store.setState({ selected, alsoSelected })
  }

  /** All that are selected, in the order in which they were. */
  selection(): readonly string[] {
    const { selected, alsoSelected } = this.state
    return selected === null ? [] : [selected, ...alsoSelected]
  }

  remove(id: string): void {
    if (this.canTouch(id)) this.exchange([id], [])
  }

  /** Remove all that are selected. Returns whether any was. */
  removeSelected(): boolean {
    const ids = this.selection()
    if (ids.length) this.exchange(ids, [])
    return ids.length > 0
  }

  /** One mask of all that are selected, in the first one's place. */
  merge(): Outcome {
    const ids = this.selection()
    if (ids.length < 2) return { done: false, why: 'select two' }
    const whole = union(ids.map(id => this.maskOf(id)!))
    return this.exchange(ids, [this.made(whole, ids[0]!)])
  }

  /** Take the others' pixels away from the first that was selected. */
  subtract(): Outcome {
    const [first, ...others] = this.selection()
    if (!first || !others.length) return { done: false, why: 'select two' }
    const mask = this.maskOf(first)!
    const rest = difference(
      mask,
      others.map(id => this.maskOf(id)!),
    )
    if (isEmpty(rest)) return { done: false, why: 'empty' }
    const counts = encode(rest)
    if (counts === encode(mask)) return NOTHING
    return this.exchange([first], [this.made(rest, first)])
  }

  /** Each connected part a mask of its own; the largest keeps the place. */
  split(): Outcome {
    const { selected, alsoSelected } = this.state
    if (selected === null || alsoSelected.length) return { done: false, why: 'select' }
    const parts = partsOf(this.maskOf(selected)!)
    if (parts.length < 2) return NOTHING
    // Specks are no objects: nobody wants fifty of them in the dataset by one key.
    if (parts.length > MOST_PARTS) return { done: false, why: 'too many' }
    return this.exchange(
      [selected],
      parts.map((part, index) => this.made(part, index ? null : selected)),
    )
  }

  // Steps.

  /**
   * Back by one step of what is being edited: the object in work; else the one mask that is selected; else what was done
   * last. Enter that still waits for its answer is a step, too. Returns whether there was one.
   */
  undo(): boolean {
    this.dropPreview()
    if (this.breakPromise()) return true
    const { past, future, selected, alsoSelected } = this.state
    if (!isBusy(this.state) && selected !== null && !alsoSelected.length) return this.undoOf(selected)
    const before = past.at(-1)
    if (before) this.goTo(before, past.slice(0, -1), [...future, this.document()])
    return before !== undefined
  }

  redo(): boolean {
    this.dropPreview()
    const { past, future } = this.state
    const after = future.at(-1)
    if (after) this.goTo(after, [...past, this.document()], future.slice(0, -1))
    return after !== undefined
  }

  /** Undo what made one mask, though other things were done since: a step of its own, forward. */
  private undoOf(id: string): boolean {
    const { past, future, masks } = this.state
    const documents = [...past, this.document()]
    const isIn = ({ masks: all }: Document, wanted: string) => all.some(mask => mask.id === wanted)
    // A mask that came back so is, in the steps, the one that it was.
    const original = this.cameBack.get(id) ?? id
    let made = documents.findLastIndex(document => isIn(document, original))
    while (made > 0 && isIn(documents[made - 1]!, original)) made--
    if (made <= 0) return false
    const [before, after] = [documents[made - 1]!, documents[made]!]
    if (made === past.length) {
      this.goTo(before, past.slice(0, -1), [...future, this.document()])
      return true
    }
    const out = after.masks.filter(mask => !isIn(before, mask.id))
    const back = before.masks.filter(mask => !isIn(after, mask.id))
    const nowOf = (wanted: string) =>
      masks.find(mask => mask.id === wanted || this.cameBack.get(mask.id) === wanted)?.id
    const gone = out.map(mask => nowOf(mask.id))
    // Another step took a part of it since: that one is to be undone first.
    if (!gone.every(found => found !== undefined)) return false
    const again = back.map(mask => {
      const partner = this.partnerOf(mask, out)
      const one = this.again(mask, partner && nowOf(partner)!)
      this.cameBack.set(one.id, mask.id)
      return one
    })
    this.exchange(gone, again)
    return true
  }

  /** Masks for other masks, in the place of the first: one step of undo, and what the server is told of it. */
  private exchange(ids: readonly string[], by: readonly AcceptedMask[]): Outcome {
    const { masks, refines } = this.state
    const place = masks.findIndex(({ id }) => ids.includes(id))
    const rest = masks.filter(({ id }) => !ids.includes(id))
    this.step({
      masks: rest.toSpliced(place, 0, ...by),
      // What is corrected right now is gone: then the object in work is one of its own.
      refines: refines !== null && ids.includes(refines) ? null : refines,
    })
    this.store.setState({ selected: by[0]?.id ?? null, alsoSelected: by.slice(1).map(({ id }) => id) })
    for (const mask of by) this.effects.put(mask)
    for (const id of ids) if (!by.some(({ replaces }) => replaces === id)) this.effects.remove(id)
    return { done: true, count: Math.max(by.length, ids.length) }
  }

  /** A mask made by hand here. */
  private made(mask: Bitmask, replaces: string | null, seconds = this.secondsSpent()): AcceptedMask {
    return {
      id: this.effects.newId(),
      mask,
      counts: encode(mask),
      origin: 'brush',
      prompts: [],
      predictedIou: null,
      stability: null,
      choice: null,
      seconds,
      clicks: 0,
      isNew: true,
      replaces,
      locked: false,
      cropBox: null,
    }
  }

  /** A mask that was here before. The server takes no row back, so it is a new one; whatever it was, a person put it here. */
  private again(mask: AcceptedMask, replaces: string | null): AcceptedMask {
    const origin = mask.origin === 'brush' ? 'brush' : 'assisted'
    return { ...mask, id: this.effects.newId(), origin, isNew: true, replaces }
  }

  /** Of masks that go: the one in whose place another comes back. */
  private partnerOf(back: AcceptedMask, out: readonly AcceptedMask[]): string | null {
    return out.find(gone => gone.replaces === back.id || back.replaces === gone.id)?.id ?? null
  }

  private canTouch(id: string): boolean {
    return this.state.masks.some(mask => mask.id === id && !mask.locked)
  }

  private maskOf(id: string | null): Bitmask | null {
    return this.state.masks.find(mask => mask.id === id)?.mask ?? null
  }

  /** What the next prompt or stroke corrects. */
  private refinesNext(): string | null {
    return isBusy(this.state) ? this.state.refines : this.state.selected
  }

  private document(): Document {
    const { prompts, candidates, answers, chosen, fedBack, painted, refines, masks } = this.state
    return { prompts, candidates, answers, chosen, fedBack, painted, refines, masks }
  }

  private step(change: Partial<Document>): void {
    const past = withinMemory([...this.state.past, this.document()].slice(-MOST_UNDO_STEPS))
    this.live = null
    this.store.setState({ ...change, past, future: [], fault: null, isPainting: false })
    // What the decoder is still at belongs to the step before, unless this one leaves the object in work alone.
    if ('prompts' in change || 'painted' in change) {
      this.breakPromise()
      this.store.setState({ revision: this.state.revision + 1, isWaiting: false })
    }
  }

  private goTo(target: Document, past: readonly Document[], future: readonly Document[]): void {
    this.breakPromise()
    const { masks, revision, photo } = this.state
    const wanted = new Set(target.masks.map(mask => mask.id))
    const present = new Set(masks.map(mask => mask.id))
    const out = masks.filter(mask => !wanted.has(mask.id))
    this.cameBack.clear()
    const taken = new Set<string>()
    const renames = new Map<string, AcceptedMask>()
    for (const mask of target.masks) {
      if (present.has(mask.id)) continue
      const partner = this.partnerOf(
        mask,
        out.filter(({ id }) => !taken.has(id)),
      )
      if (partner) taken.add(partner)
      const again = this.again(mask, partner)
      this.effects.put(again)
      // In the documents it goes on replacing what it replaced when it was made: by that undo and redo find each other.
      renames.set(mask.id, { ...again, replaces: mask.replaces })
    }
    for (const { id } of out) if (!taken.has(id)) this.effects.remove(id)
    this.store.setState({
      ...renamed(target, renames),
      past: past.map(document => renamed(document, renames)),
      future: future.map(document => renamed(document, renames)),
      revision: revision + 1,
      isWaiting: false,
      fault: null,
      selected: null,
      alsoSelected: [],
    })
    // A step whose answer had not come yet when it was left: ask again.
    if (photo !== null && target.answers !== target.prompts) {
      this.store.setState({ isWaiting: true })
      this.effects.ask(photo, revision + 1, target.prompts, target.fedBack)
    }
  }
}

/** The newest of these steps, as many as may be kept. */
function withinMemory(steps: readonly Document[]): readonly Document[] {
  let bytes = 0
  let first = steps.length
  while (first > 0 && (bytes <= MOST_UNDO_BYTES || steps.length - first < LEAST_UNDO_STEPS)) {
    first--
    const { candidates } = steps[first]!
    // Steps that left the answers alone share them.
    if (candidates !== steps[first + 1]?.candidates) {
      for (const { logits, mask } of candidates) bytes += logits.byteLength + mask.bits.byteLength
    }
  }
  return first ? steps.slice(first) : steps
}
