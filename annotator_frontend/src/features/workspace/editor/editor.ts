import { createStore, type StoreApi } from 'zustand/vanilla'
import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { emptyMask, flattened, type Patched, patched, repatched } from '@/shared/geometry/patched'
import type { Box, Size } from '@/shared/geometry/points'
import { withoutHoles, withoutIslands } from '@/shared/geometry/regions'
import { type Correcting, stillSaid } from '../decoder/correcting'
import type { Candidate } from '../decoder/protocol'
import { around, Choice, isFirstAwaited, pickOf } from './choice'
import {
  type AcceptedMask,
  acceptedOf,
  correctingIn,
  type Document,
  fedBackWith,
  isBusy,
  lacksLogits,
  madeAgain,
  madeByHand,
  NO_OBJECT,
  type Painted,
  shownMask,
} from './document'
import { type Draft, draftOf, stepsOf } from './draft'
import { faultOf } from './fault'
import { type Meeting, meeting, without } from './meeting'
import { type Become, merged, type Outcome, refused, splitUp, subtracted } from './operations'
import { AcceptPromise } from './promise'
import { LiveShape, type Shape } from './shape'
import { type EditorState, NEW_PHOTO } from './state'
import { packedSteps, type Step, stepped, unpacked, unpackedMask } from './steps'
import { MaskUndo, renamed, secondsBetween, wayTo } from './undo'

export type { AcceptedMask } from './document'
export type { EditorState } from './state'

/** What the editor wants done outside. */
export interface EditorEffects {
  /**
   * @param fedBack logits of the mask before, or a mask that logits are to be made of.
   * @param correcting what is known of that mask.
   */
  ask: (
    photo: string,
    revision: number,
    prompts: readonly Prompt[],
    fedBack: Float32Array | Bitmask | null,
    correcting: Correcting | null,
  ) => void
  put: (mask: AcceptedMask) => void
  remove: (id: string) => void
  /** It was to be accepted as soon as its answer was there, and has no mask. */
  notAccepted: () => void
  /** A mask was to be selected while another object is in work. */
  notSelected?: () => void
  newId: () => string
  secondsSpent: () => number
  /** The same, which goes on being counted. */
  secondsSoFar?: () => number
  /** What can wait until nothing is in a hurry; without it, it is done at once. */
  later?: (act: () => void) => void
}

/** The object in work and the photo's masks, with undo. No React, no DOM, no server. */
export class Editor {
  readonly store: StoreApi<EditorState>
  /** What the hand is still at. */
  private live: LiveShape | null = null
  private readonly promise = new AcceptPromise()
  private readonly maskUndo = new MaskUndo()
  private isPackingSoon = false
  private readonly choice = new Choice()

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
    this.promise.takeSeconds() // they were another photo's
    this.choice.forget()
    this.live = null
    this.maskUndo.forget()
    this.store.setState({ ...NEW_PHOTO, photo, masks, size, revision: this.state.revision + 1 })
  }

  /** No photo is there. */
  close(): void {
    this.breakPromise()
    this.live = null
    this.store.setState({ ...NEW_PHOTO, photo: null })
  }

  /** Others were at the photo meanwhile; `there`: all masks that it has now. Returns how many came and went. */
  meet(there: readonly AcceptedMask[]): number {
    const { past, future } = this.state
    const after = meeting(this.document(), past, future, there)
    if (after) this.goOnWith(after)
    return after?.count ?? 0
  }

  /** The server does not take a mask, and somebody gave it up; `replaces`: what is in its place there still. */
  drop(id: string, replaces: string | null): void {
    const { past, future } = this.state
    this.goOnWith(without(this.document(), past, future, id, replaces))
  }

  private goOnWith({ document: { masks, refines }, past, future }: Omit<Meeting, 'count'>): void {
    const { selected, alsoSelected } = this.state
    const isThere = (id: string) => masks.some(mask => mask.id === id)
    this.maskUndo.forget()
    this.store.setState({
      masks,
      refines,
      past,
      future,
      selected: selected !== null && isThere(selected) ? selected : null,
      alsoSelected: alsoSelected.filter(isThere),
    })
  }

  /** The object in work, which nobody has accepted yet, as plain data; null: there is none. */
  draft(): Draft | null {
    const seconds = this.promise.seconds + (this.effects.secondsSoFar?.() ?? 0)
    return draftOf(this.document(), this.state.past, seconds)
  }

  /** Go on with a draft that an earlier page left, unless something is in work already. */
  restore(kept: unknown): void {
    const { photo, masks, past } = this.state
    const found = photo === null || this.isBusy ? null : stepsOf(kept, masks)
    if (!found) return
    this.promise.owe(found.seconds)
    this.goTo(found.draft, [...past, this.document(), ...found.earlier], [])
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
    if (this.promise.postpone(() => this.addPrompt(prompt))) return
    const { prompts } = this.state
    const refines = this.refinesNext()
    const kept = prompt.kind === 'point' ? prompts : prompts.filter(({ kind }) => kind !== prompt.kind)
    const next = [...kept, prompt]
    const fedBack = fedBackWith({ ...this.document(), prompts: kept }, refines)
    const isFirst = next.length === 1 && fedBack === null
    this.ask(next, fedBack, refines, isFirst ? known : null)
  }

  /** Another place for a prompt, or none. What was shown came of the old ones, so only what hands have painted goes back in. */
  changePrompt(index: number, prompt: Prompt | null): void {
    const { prompts, refines, masks } = this.state
    if (!prompts[index]) return
    const next = prompt ? prompts.with(index, prompt) : prompts.toSpliced(index, 1)
    const painted = this.paintedLast()
    if (next.length) {
      this.ask(next, painted ? flattened(painted.pixels) : this.maskOf(refines), refines)
    } else if (painted) {
      this.step({ ...NO_OBJECT, painted, isHandled: true, refines, masks })
    } else {
      this.step({ ...NO_OBJECT, masks })
      this.store.setState({ selected: refines })
    }
  }

  /** What hands have painted last of the object in work, though clicks may have changed it since. */
  private paintedLast(): Painted | null {
    const { painted, isHandled, past, masks } = this.state
    if (painted || !isHandled) return painted
    const step = past.slice(past.findLastIndex(one => !isBusy(one)) + 1).findLast(one => one.painted)
    return step ? unpacked(step, masks).painted : null
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
    else this.effects.ask(photo, revision, prompts, fedBack, correctingIn(this.document()))
  }

  /** The decoder's answer, best first. */
  answered(photo: string, revision: number, candidates: readonly Candidate[]): void {
    const state = this.state
    if (photo !== state.photo || revision !== state.revision) return
    // Only a click on top of others can wreck what they made; one that was moved or taken away is no such click.
    const before = state.past.at(-1)
    const isAdded = before && state.prompts.length === before.prompts.length + 1
    const shown = isAdded && (before.prompts.length > 0 || state.fedBack) ? shownMask(state) : null
    const held = shown ? stillSaid(correctingIn(this.document())?.said ?? [], shown, state.prompts) : []
    const fault =
      shown && candidates[0] ? faultOf(shown, candidates[0].mask, [...held, ...state.prompts]) : null
    // Where the same was asked again, what was chosen of the answer before stays chosen.
    const own = state.answers === state.prompts ? state.candidates[state.chosen]?.index : undefined
    const { chosen, isWish } = this.choice.among(candidates, own)
    this.store.setState({
      candidates,
      answers: state.prompts,
      chosen,
      picked: isWish ? pickOf(state, candidates[chosen]) : state.picked,
      painted: null,
      isWaiting: false,
      fault,
    })
    // The hand is at a stroke already: it goes onto the answer, as if that had been there when it was begun.
    if (this.live && !this.promise.isMade) this.live = this.live.movedOnto(this.pixelsInWork())
    this.keepPromise()
  }

  /** The decoder could not answer. */
  failed(photo: string | null, revision: number | null): void {
    const state = this.state
    if (photo !== state.photo || revision !== state.revision) return
    this.store.setState({ isWaiting: false })
    if (this.breakPromise()) this.effects.notAccepted()
  }

  /** One of the masks that are offered, or that will be. After Enter, too: that one is accepted. */
  choose(index: number): void {
    if (this.promise.isFollowed) {
      this.promise.postpone(() => this.choose(index))
      return
    }
    if (isFirstAwaited(this.state)) {
      this.choice.wish(index)
      return
    }
    if (!this.state.candidates[index]) return
    this.store.setState({ chosen: index, picked: pickOf(this.state, this.state.candidates[index]) })
    if (this.state.isWaiting || !lacksLogits(this.document())) return
    this.store.setState({ revision: this.state.revision + 1 })
    this.askAgain()
  }

  /** The next of the masks that are offered, or that will be. Returns whether there is any choice. */
  cycle(by: 1 | -1 = 1): boolean {
    const { candidates, chosen } = this.state
    if (this.promise.isFollowed) this.promise.postpone(() => this.cycle(by))
    else if (isFirstAwaited(this.state)) this.choice.wishNext(by)
    else if (candidates.length > 1) this.choose(around(chosen + by, candidates.length))
    else return false
    return true
  }

  // Pixels.

  /** Show a stroke that goes on. Its path may have grown since: only what is new is painted. */
  preview(shape: Shape): void {
    if (this.state.photo === null) return
    if (!this.live?.is(shape)) {
      this.live = new LiveShape(shape, this.pixelsNext())
      this.store.setState({ isPainting: true })
    }
    this.live.grow(shape)
  }

  /** Give a stroke up that goes on: it leaves no trace. */
  dropPreview(): void {
    this.live = null
    if (this.state.isPainting) this.store.setState({ isPainting: false })
  }

  /** What is painted now, for showing it; null where nothing is. */
  pixelsShown(): Patched | null {
    return this.live?.pixels() ?? this.state.painted?.pixels ?? null
  }

  /** What the stroke that goes on has touched since this was asked last. */
  takeTouched(): Box | null {
    return this.live?.takeTouched() ?? null
  }

  /** A stroke or an outline that is complete: one step of undo. It begins an object where none is in work or selected. */
  paint(shape: Shape): void {
    if (this.state.photo === null) return
    if (this.promise.postpone(() => this.paint(shape))) {
      this.dropPreview()
      return
    }
    this.preview(shape)
    const pixels = this.live!.finish()
    this.live = null
    this.setPixels(pixels)
  }

  /** As if the outline or stroke that was painted last had not been; it may still wait for an answer. */
  takePaintBack(): void {
    if (this.promise.isMade) this.promise.dropLast()
    else this.undo()
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
    if (!this.isBusy && selected === null) return refused('select')
    if (isWaiting) return refused('waiting')
    const before = this.isBusy ? shownMask(this.state) : this.maskOf(selected)
    const { mask, count } = before ? by(before) : { mask: null, count: 0 }
    if (!mask || !count) return refused('nothing')
    if (this.isBusy) this.setPixels(repatched(this.pixelsInWork(), mask))
    else this.exchange([selected!], [this.made(mask, selected)])
    return { done: true, count }
  }

  /** What a stroke goes onto: nothing yet, where it belongs to the next object. */
  private pixelsNext(): Patched {
    return this.promise.isMade ? patched(emptyMask(this.state.size)) : this.pixelsInWork()
  }

  private pixelsInWork(): Patched {
    const { painted, candidates, chosen, size } = this.state
    if (painted) return painted.pixels
    return patched(candidates[chosen]?.mask ?? this.maskOf(this.refinesNext()) ?? emptyMask(size))
  }

  private setPixels(pixels: Patched): void {
    const { prompts, candidates, chosen, painted } = this.state
    const from: Painted['from'] = painted ? painted.from : (candidates[chosen] ?? null)
    const refines = this.refinesNext()
    this.step({ painted: { pixels, from }, isHandled: true, candidates: [], answers: prompts, refines })
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
    if (this.promise.isMade) {
      // Enter again is about the same object, unless there is another by now.
      if (this.promise.isFollowed) {
        const spent = seconds ?? this.secondsSpent()
        this.promise.postpone(() => this.accept(spent))
      }
      return true
    }
    if (!this.state.isWaiting || !this.isBusy) return this.acceptNow(seconds)
    this.promise.make(seconds ?? this.secondsSpent())
    this.store.setState({ isPromised: true })
    return true
  }

  /** Do this once no object waits to be accepted; not at all where it comes to nothing. */
  whenSettled(act: () => void): void {
    this.promise.whenSettled(act)
  }

  /** Accept nothing by itself, and leave undone what was to be done then. Returns whether there was anything. */
  breakPromise(): boolean {
    if (!this.promise.break()) return false
    this.dropPreview()
    this.store.setState({ isPromised: false })
    return true
  }

  private keepPromise(): void {
    const isKept = this.promise.keep(seconds => {
      this.dropPreview()
      this.store.setState({ isPromised: false })
      return this.acceptNow(seconds)
    })
    if (!isKept) this.effects.notAccepted()
  }

  private secondsSpent(): number {
    return this.promise.takeSeconds() + this.effects.secondsSpent()
  }

  private acceptNow(seconds?: number): boolean {
    const { masks, isWaiting, refines } = this.state
    if (isWaiting) return false
    const accepted = acceptedOf(this.document(), (mask, replaces) => this.made(mask, replaces, seconds))
    if (!accepted) return false
    // In the journal first: a crash between the two is not to find the draft gone and no mask.
    this.effects.put(accepted)
    const place = masks.findIndex(({ id }) => id === refines)
    this.step({ ...NO_OBJECT, masks: place < 0 ? [...masks, accepted] : masks.with(place, accepted) })
    this.store.setState({ selected: null, alsoSelected: [] })
    return true
  }

  /** Give the object in work up. Returns whether there was one. */
  clear(): boolean {
    if (!this.isBusy) return false
    this.step({ ...NO_OBJECT, masks: this.state.masks })
    return true
  }

  /** What clicks and strokes go to next. Never while an object is in work, which they belong to; right after Enter it waits. */
  select(id: string | null): void {
    if (this.promise.postpone(() => this.select(this.heirOf(id)))) return
    if (id !== null && !this.maySelect(id)) return
    this.store.setState({ selected: id, alsoSelected: [] })
  }

  /** Select one more, or one less. */
  alsoSelect(id: string): void {
    if (this.promise.postpone(() => this.alsoSelect(this.heirOf(id)))) return
    if (!this.maySelect(id)) return
    const all = this.selection()
    const [selected = null, ...alsoSelected] = all.includes(id)
      ? all.filter(other => other !== id)
      : [...all, id]
    this.store.setState({ selected, alsoSelected })
  }

  private maySelect(id: string): boolean {
    if (!this.canTouch(id)) return false
    if (this.isBusy) this.effects.notSelected?.()
    return !this.isBusy
  }

  /** A mask, or what has taken its place meanwhile. */
  private heirOf<Id extends string | null>(id: Id): Id | string {
    const { masks } = this.state
    if (id === null || masks.some(mask => mask.id === id)) return id
    return masks.find(({ replaces }) => replaces === id)?.id ?? id
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
    // A selection that waits for the answer is what this is about.
    if (this.promise.isFollowed) return this.promise.postpone(() => this.removeSelected())
    const ids = this.selection()
    if (ids.length) this.exchange(ids, [])
    return ids.length > 0
  }

  /** One mask of all that are selected, in the first one's place. */
  merge(): Outcome {
    return this.become(merged, this.selection())
  }

  /** Take the others' pixels away from the first that was selected. */
  subtract(): Outcome {
    return this.become(subtracted, this.selection().slice(0, 1))
  }

  /** Each connected part a mask of its own; the largest keeps the place. */
  split(): Outcome {
    return this.become(splitUp, this.selection())
  }

  /** @param ids those that what is selected takes the place of. */
  private become(become: Become, ids: readonly string[]): Outcome {
    const masks = become(this.selection().map(id => this.maskOf(id)!))
    if (typeof masks === 'string') return refused(masks)
    return this.exchange(
      ids,
      masks.map((mask, index) => this.made(mask, index ? null : ids[0]!)),
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
    const { selected, alsoSelected } = this.state
    if (!this.isBusy && selected !== null && !alsoSelected.length) return this.undoOf(selected)
    return this.undoNewest()
  }

  redo(): boolean {
    this.dropPreview()
    const { past, future } = this.state
    const after = future.at(-1)
    if (!after) return false
    this.promise.owe(-secondsBetween(this.state, after))
    this.goTo(after, [...past, this.document()], future.slice(0, -1))
    return true
  }

  private undoNewest(): boolean {
    const { past, future } = this.state
    const before = past.at(-1)
    if (!before) return false
    const seconds = secondsBetween(before, this.state)
    this.goTo(before, past.slice(0, -1), [...future, this.document()])
    this.promise.owe(seconds)
    return true
  }

  /** Undo what made one mask, though other things were done since: a step of its own, forward. */
  private undoOf(id: string): boolean {
    const unmaking = this.maskUndo.of(id, [...this.state.past, this.document()])
    if (unmaking === 'newest step') return this.undoNewest()
    if (!unmaking) return false
    const again = unmaking.back.map(({ mask, replaces }) => {
      const one = madeAgain(unpackedMask(mask), this.effects.newId(), replaces)
      this.maskUndo.remember(one.id, mask.id)
      return one
    })
    this.exchange(unmaking.gone, again)
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

  private made(mask: Bitmask, replaces: string | null, seconds = this.secondsSpent()): AcceptedMask {
    return madeByHand(mask, this.effects.newId(), replaces, seconds)
  }

  private canTouch(id: string): boolean {
    return this.state.masks.some(mask => mask.id === id && !mask.locked)
  }

  private maskOf(id: string | null): Bitmask | null {
    return this.state.masks.find(mask => mask.id === id)?.mask ?? null
  }

  /** What the next prompt or stroke corrects. */
  private refinesNext(): string | null {
    return this.isBusy ? this.state.refines : this.state.selected
  }

  private document(): Document {
    const { prompts, candidates, answers, chosen, picked, fedBack, painted, isHandled, refines, masks } =
      this.state
    return { prompts, candidates, answers, chosen, picked, fedBack, painted, isHandled, refines, masks }
  }

  private step(change: Partial<Document>): void {
    const past = stepped(this.state.past, this.document())
    this.live = null
    this.store.setState({ ...change, past, future: [], fault: null, isPainting: false })
    // What the decoder is still at belongs to the step before, unless this one leaves the object in work alone.
    if ('prompts' in change || 'painted' in change) {
      this.breakPromise()
      this.choice.forget()
      this.store.setState({ revision: this.state.revision + 1, isWaiting: false })
    }
    this.packLater()
  }

  /** Steps are made by a hand that waits for the next frame; their pixels become run lengths after it. */
  private packLater(): void {
    if (this.isPackingSoon) return
    this.isPackingSoon = true
    const later = this.effects.later ?? (act => act())
    later(() => {
      this.isPackingSoon = false
      const { past, future } = this.state
      this.store.setState(packedSteps(past, future, this.document()))
    })
  }

  private goTo(step: Step, past: readonly Step[], future: readonly Step[]): void {
    this.breakPromise()
    this.choice.forget()
    const { masks, revision, photo } = this.state
    const target = unpacked(step, masks)
    const { back, removed } = wayTo(target.masks, masks)
    const renames = new Map<string, AcceptedMask>()
    for (const { mask, replaces } of back) {
      const again = madeAgain(unpackedMask(mask), this.effects.newId(), replaces)
      this.effects.put(again)
      // In the steps it goes on replacing what it replaced when it was made: by that undo and redo find each other. And it
      // keeps its work, for when it comes back after it was removed.
      const { seconds, clicks } = mask
      renames.set(mask.id, { ...again, seconds, clicks, replaces: mask.replaces })
    }
    for (const id of removed) this.effects.remove(id)
    this.maskUndo.forget()
    this.store.setState({
      ...renamed(target, renames),
      past: past.map(other => renamed(other, renames)),
      future: future.map(other => renamed(other, renames)),
      revision: revision + 1,
      isWaiting: false,
      fault: null,
      selected: null,
      alsoSelected: [],
    })
    this.packLater()
    // A step whose answer had not come yet when it was left, or that a draft kept without its logits.
    if (photo !== null && (target.answers !== target.prompts || lacksLogits(target))) this.askAgain()
  }

  /** For the answer to the prompts as they are. */
  private askAgain(): void {
    const { photo, revision, prompts, fedBack } = this.state
    this.store.setState({ isWaiting: true })
    this.effects.ask(photo!, revision, prompts, fedBack, correctingIn(this.document()))
  }
}
