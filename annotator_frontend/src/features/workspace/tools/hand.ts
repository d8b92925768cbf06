import type { Prompt } from '@/shared/geometry/modelFrame'
import type { ImagePoint } from '@/shared/geometry/points'
import type { Editor, EditorState } from '../editor/editor'
import { inSight, type Look } from '../editor/look'
import { maskAt } from '../editor/order'
import type { Shape } from '../editor/shape'
import type { HoverPreview } from './hoverPreview'
import { type HandEventName, type PointerEventAt, type Tool, ToolMachine } from './machine'
import { dragged, handleAt, type PromptChange, type PromptState, promptTool } from './promptTool'
import {
  brushTool,
  lassoTool,
  type PolygonState,
  polygonTool,
  type Selection,
  type SelectState,
  type StrokeState,
  selectTool,
} from './shapeTools'
import { resized, type ToolboxStore, type ToolName } from './toolbox'

export type Gesture = PromptState | StrokeState | PolygonState | SelectState
type Result = Prompt | PromptChange | Shape | Selection

/** How far from a thing still is on it. */
const REACH_SCREEN_PX = 8

/** Where a hand is that is not over the photo: Enter and Ctrl+Z work there, too. */
const NOWHERE = {
  at: { x: 0, y: 0 },
  scale: 1,
  isDrag: false,
  isBackground: false,
  isSelecting: false,
  isShift: false,
}

export interface HandAt {
  at: ImagePoint
  /** Screen pixels per pixel of the photo. */
  scale: number
  isDrag: boolean
  /** The right button, or Alt. */
  isBackground: boolean
  /** Ctrl or Cmd: select, whatever the tool. */
  isSelecting: boolean
  isShift: boolean
}

/** The hand over the photo, with the tool that it has taken up. It knows neither React nor the DOM. */
export class Hand {
  private readonly machines: Record<ToolName, ToolMachine<Gesture, Result>>
  private running: ToolMachine<Gesture, Result> | null = null
  /** Where it is; null: not over the photo. */
  over: HandAt | null = null
  /** Whether the model can answer now: then it is asked what a click would give. A click itself waits for it. */
  canPrompt = false
  private modelIsOut = false
  /** Whether it is asked what a click would give. */
  canPreview = true
  /** Another window may have the photo: then this hand only looks. */
  canWrite = true
  /** Enter was pressed between down and up: what the click makes is accepted. */
  private isConfirmed = false
  /** What the press began from; null: it began nothing. */
  private pressedFrom: Gesture | null = null
  /** The polygon that was given up last, and what the editor had then. */
  private givenUp: { gesture: Gesture; state: EditorState } | null = null
  private readonly listeners = new Set<() => void>()

  constructor(
    private readonly editor: Editor,
    private readonly toolbox: ToolboxStore,
    readonly hover: HoverPreview,
    private readonly look: Pick<Look, 'store'>,
  ) {
    const machine = <State extends Gesture, Made extends Result>(tool: Tool<State, Made>) =>
      new ToolMachine(tool as unknown as Tool<Gesture, Result>, result => this.finish(result))
    const diameter = () => toolbox.getState().diameter
    this.machines = {
      prompt: machine(promptTool),
      brush: machine(brushTool(true, diameter)),
      eraser: machine(brushTool(false, diameter)),
      polygon: machine(polygonTool),
      lasso: machine(lassoTool),
      select: machine(selectTool),
    }
  }

  /** Told when something that is drawn under the hand has changed. */
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  changed(): void {
    for (const listener of this.listeners) listener()
  }

  get gesture(): Gesture {
    return this.running?.state ?? { name: 'idle' }
  }

  /** The model will not answer on this photo. Brushes need none. */
  get isModelOut(): boolean {
    return this.modelIsOut
  }

  set isModelOut(isOut: boolean) {
    this.modelIsOut = isOut
    const { photo, revision, isWaiting } = this.editor.state
    // Clicks from before wait for an answer that does not come, and with them what hands do.
    if (isOut && isWaiting) this.editor.failed(photo, revision)
  }

  get tool(): ToolName {
    return this.toolbox.getState().tool
  }

  /** Prompts as they are shown: one that is being dragged where the hand has it. */
  prompts(): readonly Prompt[] {
    const { prompts, size } = this.editor.state
    const { gesture } = this
    if (gesture.name !== 'holding' || !gesture.isMoved) return prompts
    const { handle, from, to } = gesture
    return prompts.map((prompt, index) =>
      index === handle.index ? dragged(prompt, handle, from, to, size) : prompt,
    )
  }

  take(tool: ToolName): void {
    if (tool === this.tool && this.gesture.name === 'drawing') return
    this.escape()
    this.toolbox.setState({ tool })
    this.hover.leave()
    this.changed()
  }

  resize(by: 1 | -1): void {
    this.toolbox.setState(({ diameter }) => ({ diameter: resized(diameter, by) }))
    this.changed()
  }

  /** The wheel with Alt: the next of the masks that are offered, or the next size of a brush. */
  wheel(by: 1 | -1): void {
    if (this.tool === 'brush' || this.tool === 'eraser') this.resize(by === 1 ? -1 : 1)
    else this.editor.cycle(by)
  }

  down(hand: HandAt): void {
    this.over = hand
    this.pressedFrom = null
    const tool = hand.isSelecting ? 'select' : this.tool
    if (!this.canWrite || (tool === 'prompt' && this.isModelOut)) return
    this.hover.hold()
    this.isConfirmed = false
    // A polygon goes on over many presses.
    if (this.running?.state.name !== 'drawing') this.running = this.machines[tool]
    this.pressedFrom = this.gesture
    this.send('pointerDown', hand)
  }

  /** @param path where it was since the last time, the newest last. */
  move(path: readonly HandAt[]): void {
    this.over = path.at(-1) ?? this.over
    for (const hand of path) this.send('pointerMove', hand)
    const { over } = this
    if (over && this.gesture.name === 'idle') this.hover.move(over.at, this.canHover(), 1 / over.scale)
    this.changed()
  }

  up(hand: HandAt): void {
    this.pressedFrom = null
    this.send('pointerUp', hand)
  }

  /** Give up what the press has begun, or ended. A polygon is as it was before. */
  takePressBack(): void {
    const from = this.pressedFrom
    if (!from) return
    if (from.name !== 'drawing') {
      this.drop()
      return
    }
    this.pressedFrom = null
    if (this.gesture.name === 'idle') this.editor.takePaintBack() // the press closed it
    this.running!.state = from
    this.changed()
  }

  leave(): void {
    this.over = null
    this.hover.leave()
    this.changed()
  }

  /** Enter in the middle of a gesture: it closes a polygon, waits for a click or a box, and means nothing to others. */
  confirm(): boolean {
    const { name } = this.gesture
    if (name === 'drawing') {
      this.pressedFrom = null
      this.send('confirm', this.over ?? NOWHERE)
    }
    if (name === 'pointing' || name === 'boxing') this.isConfirmed = true
    return name !== 'idle'
  }

  /** Take the last piece of a gesture back. Returns whether there was one. */
  back(): boolean {
    return this.gesture.name === 'drawing' && this.send('back', this.over ?? NOWHERE)
  }

  /** Give the gesture up. Returns whether there was one. */
  escape(): boolean {
    const { gesture } = this
    // A polygon is the work of many presses.
    if (gesture.name === 'drawing') this.givenUp = { gesture, state: this.editor.state }
    return this.drop()
  }

  /** Go on with the polygon that was given up, while nothing else was done since. Returns whether there is one. */
  resume(): boolean {
    const { givenUp, editor } = this
    if (!givenUp || this.gesture.name !== 'idle') return false
    this.givenUp = null
    const { photo, revision, masks, selected, alsoSelected } = givenUp.state
    const now = editor.state
    // Every step of the object in work is another revision, be it back to nothing.
    const isSame = now.photo === photo && now.revision === revision && now.masks === masks
    if (!isSame || now.selected !== selected || now.alsoSelected !== alsoSelected) return false
    this.take('polygon')
    this.running = this.machines.polygon
    this.running.state = givenUp.gesture
    this.changed()
    return true
  }

  private drop(): boolean {
    const wasBusy = this.running?.escape() ?? false
    this.isConfirmed = false
    this.pressedFrom = null
    this.editor.dropPreview()
    if (wasBusy) this.changed()
    return wasBusy
  }

  /** What was held down is given up. A polygon is not held: it goes on over many presses. */
  letGo(): void {
    if (this.gesture.name !== 'drawing') this.escape()
  }

  private canHover(): boolean {
    const { selected, photo } = this.editor.state
    if (photo === null || !this.canPrompt || !this.canPreview || !this.toolbox.getState().isHoverOn)
      return false
    return this.tool === 'prompt' && !this.editor.isBusy && selected === null && !this.over?.isSelecting
  }

  private send(name: HandEventName, { at, scale, isDrag, isBackground, isShift }: HandAt): boolean {
    if (!this.running) return false
    const reach = REACH_SCREEN_PX / scale
    // Prompts of an object that is as good as accepted are not for the hand any more.
    const { prompts, isPromised } = this.editor.state
    const event: PointerEventAt = {
      at,
      means: isBackground ? 'background' : 'foreground',
      isDrag,
      reach,
      isMore: isShift,
      on: name === 'pointerDown' && !isPromised ? handleAt(prompts, at, reach) : null,
    }
    const cared = this.running.send(name, event)
    const { gesture } = this
    if (gesture.name === 'painting' && gesture.shape.kind === 'stroke') this.editor.preview(gesture.shape)
    this.changed()
    return cared
  }

  private finish(result: Result): void {
    switch (result.kind) {
      case 'stroke':
      case 'area':
        // An outline of two corners holds nothing.
        if (result.kind === 'stroke' || result.path.length > 2) this.editor.paint(result)
        break
      case 'select':
        this.select(result)
        break
      case 'change':
        this.change(result)
        break
      default: {
        // A screen pixel beside it is no other click; what is stored is what was answered.
        const known = this.hover.takeFor(result, 1 / (this.over?.scale ?? 1))
        this.editor.addPrompt(known?.prompt ?? result, known?.candidates)
        if (this.isConfirmed) this.editor.accept()
        this.isConfirmed = false
      }
    }
  }

  private change({ handle, from, to }: PromptChange): void {
    const { prompts, size } = this.editor.state
    const prompt = prompts[handle.index]
    if (prompt) this.editor.changePrompt(handle.index, to && dragged(prompt, handle, from, to, size))
  }

  private select({ at, isMore }: Selection): void {
    const free = inSight(this.editor.state.masks, this.look.store.getState()).filter(({ locked }) => !locked)
    const found = maskAt(free, at.x, at.y)
    if (found && isMore) this.editor.alsoSelect(found)
    else this.editor.select(found)
  }
}
