import { Signal } from '@/shared/api/signal'
import { t } from '@/shared/i18n'
import { announce } from '@/shared/ui/announce'
import { PainterClient } from './canvas/painter/client'
import type { StageHandle } from './canvas/Stage'
import { Closer } from './closer'
import { DecoderClient } from './decoder/client'
import { ActiveClock } from './editor/activeClock'
import { type AcceptedMask, Editor } from './editor/editor'
import { Look } from './editor/look'
import { JOBS } from './jobs'
import { notify } from './operations'
import { type Assignment, PhotoShelf } from './photoShelf'
import { bodyOf, masksOf } from './saving/maskBody'
import { named, type Outbox } from './saving/outbox'
import { recalledTools } from './toolMemory'
import { Hand } from './tools/hand'
import { HoverPreview } from './tools/hoverPreview'
import { newToolbox } from './tools/toolbox'
import { whenIdle } from './whenIdle'

/** What the page around the workspace does for it. */
export interface Surroundings {
  onSubmit: (assignment: Assignment) => void
  onError: (message: string) => void
  /** Leave for another page of Maskloop, by its address. */
  onOpen: (place: string) => void
}

/**
 * All that is at hand where masks are made, wired together for as long as the workspace is shown: the photos, the model, the
 * editor, the hand with its tools. React shows it, commands act on it.
 */
export class Workbench {
  readonly decoder = new DecoderClient()
  readonly painter = new PainterClient()
  readonly shelf = new PhotoShelf(this.decoder, this.painter)
  readonly closer = new Closer(this.decoder)
  readonly look = new Look(() => localStorage)
  readonly clock = new ActiveClock()
  readonly toolbox = newToolbox(recalledTools())
  readonly editor: Editor
  readonly hand: Hand

  /** What lies over the photo. */
  readonly dialog = new Signal<'keys' | 'guidelines' | 'skip' | null>(null)
  /** How long the model's newest answer took. */
  readonly answerMs = new Signal<number | null>(null)

  /** What is worked on; its lease may be another one since the photo was opened. */
  assignment: Assignment | null = null
  /** When the photo was opened, by `performance.now`. */
  openedAt = 0
  surroundings: Surroundings = { onSubmit: () => {}, onError: () => {}, onOpen: () => {} }
  /** Filled by the stage while a photo is shown. */
  readonly stage: { current: StageHandle | null } = { current: null }
  /** The field for words, where the checkpoint can read. */
  readonly words: { current: HTMLInputElement | null } = { current: null }

  constructor(readonly outbox: Outbox) {
    this.editor = this.newEditor()
    const hover = new HoverPreview((id, prompt) => {
      const { photo } = this.editor.state
      if (photo !== null) this.decoder.preview(photo, id, prompt)
    })
    this.hand = new Hand(this.editor, this.toolbox, hover, this.look)
    hover.onChange = () => this.hand.changed()
    this.listenToDecoder()
    this.editor.store.subscribe((now, before) => {
      this.look.follow(now.masks, before.masks)
      const isReselected = now.selected !== before.selected || now.alsoSelected !== before.alsoSelected
      if (isReselected) this.look.reveal(this.editor.selection())
    })
    outbox.onDropped = (image, id, replaces) => {
      if (image === this.editor.state.photo) this.editor.drop(id, replaces)
    }
  }

  private newEditor(): Editor {
    const editor: Editor = new Editor({
      ask: (photo, revision, prompts, fedBack, correcting) => {
        this.decoder.know(editor.state.candidates) // they may be a draft's
        this.decoder.prompt(photo, revision, prompts, fedBack, correcting)
      },
      put: mask => {
        const { id, image } = this.assignment!
        const body = bodyOf(mask, id)
        this.outbox.add({ kind: 'put', id: mask.id, assignment: id, body, ...named(image) })
      },
      remove: id => {
        const { id: assignment, image } = this.assignment!
        this.outbox.add({ kind: 'remove', id, assignment, ...named(image) })
      },
      notAccepted: () => notify(t('The object was not accepted: it has no mask.')),
      notSelected: () => notify(t('Accept the object in work first, or give it up.')),
      newId: () => crypto.randomUUID(),
      secondsSpent: () => this.clock.take(performance.now()),
      secondsSoFar: () => this.clock.peek(performance.now()),
      later: whenIdle,
    })
    return editor
  }

  private listenToDecoder(): void {
    const { decoder, editor, hand } = this
    decoder.listen({
      onAnswer: (photo, revision, candidates, milliseconds) => {
        this.answerMs.set(milliseconds)
        editor.answered(photo, revision, candidates)
      },
      onPreview: (id, found, edges) => hand.hover.answered(id, found, edges),
      onFailure: (photo, revision, message) => {
        editor.failed(photo, revision)
        this.surroundings.onError(message)
      },
    })
    decoder.hindrance.subscribe(() => {
      const why = decoder.hindrance.get()
      if (why !== null) announce(t('Model: no answer yet, asked again: {{why}}', { why }))
    })
    decoder.step.subscribe(() => {
      const { where } = decoder.step.get()
      // The server looks at whole photos only, and is not asked what a click would give.
      hand.canPreview = where === 'browser'
      if (where === 'server') this.closer.leave()
    })
  }

  /** Whether another window writes to the photo: then this one only looks. */
  get isWatching(): boolean {
    return !this.hand.canWrite
  }

  set isWatching(isWatching: boolean) {
    this.hand.canWrite = !isWatching
  }

  /**
   * Begin with a photo, or with none.
   *
   * @param user whose id the masks have that are this person's own.
   */
  open(assignment: Assignment | null, user: string): void {
    const { editor, hand } = this
    hand.escape() // on the photo before
    if (assignment) {
      const { image, masks, job } = assignment
      const { isWanted = () => false } = JOBS[job] ?? {}
      editor.open(image.id, this.masksOn(assignment, user), image)
      // Begin with what the job is about.
      const wanted = new Set(masks.filter(isWanted).map(({ id }) => id))
      editor.select(editor.state.masks.find(({ id }) => wanted.has(id))?.id ?? null)
    } else editor.close()
    hand.hover.reset()
    this.look.reset()
    this.closer.leave()
    this.openedAt = performance.now()
    this.clock.take(this.openedAt)
  }

  /** The lease of the photo at hand is another one: others may have been at it in between. */
  meet(assignment: Assignment, user: string): void {
    const { editor } = this
    if (editor.state.photo !== assignment.image.id || !editor.meet(this.masksOn(assignment, user))) return
    notify(
      t('Somebody else has worked on this photo meanwhile: look at all of its masks before you submit it.'),
      20_000,
    )
  }

  private masksOn({ image, masks, job, asOf }: Assignment, user: string): AcceptedMask[] {
    return masksOf(masks, this.outbox.operationsOn(image.id, asOf), JOBS[job]?.isLocked, user)
  }

  touch = (): void => this.clock.touch(performance.now())

  /** Keys go where the hand works. */
  focusPhoto = (): void => this.stage.current?.focus()

  /** The workspace is shown no more. */
  stop(): void {
    this.closer.leave()
    this.shelf.hold([])
    this.decoder.stop()
    this.painter.stop()
  }
}
