import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Candidate } from '@/features/workspace/decoder/protocol'
import { madeByHand } from '@/features/workspace/editor/document'
import { Editor } from '@/features/workspace/editor/editor'
import { Look } from '@/features/workspace/editor/look'
import { Hand, type HandAt } from '@/features/workspace/tools/hand'
import { HoverPreview } from '@/features/workspace/tools/hoverPreview'
import { KeyboardHand } from '@/features/workspace/tools/keyboardHand'
import { newToolbox, type ToolboxStore } from '@/features/workspace/tools/toolbox'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { mask } from '../shared/plain'

const DISC = mask('.##.', '####', '####', '.##.')
const CANDIDATE: Candidate = {
  index: 0,
  predictedIou: 0.8,
  stability: 0.9,
  region: null,
  logits: new Float32Array(1),
  mask: DISC,
}

let asked: readonly Prompt[][]
let previews: { id: number; prompt: Prompt }[]
let editor: Editor
let hand: Hand
let look: Look
let toolbox: ToolboxStore
let now = 0

beforeEach(() => {
  vi.useFakeTimers()
  asked = []
  previews = []
  now = 0
  let ids = 0
  editor = new Editor({
    ask: (_photo, _revision, prompts) => (asked = [...asked, [...prompts]]),
    put: () => {},
    remove: () => {},
    notAccepted: () => {},
    newId: () => `n${++ids}`,
    secondsSpent: () => 1,
  })
  editor.open('photo', [], { height: 4, width: 4 })
  look = new Look(() => { throw new Error('forbidden') })
  toolbox = newToolbox({ diameter: 1 })
  hand = new Hand(
    editor,
    toolbox,
    new HoverPreview(
      (id, prompt) => previews.push({ id, prompt }),
      () => now,
    ),
    look,
  )
  hand.canPrompt = true
})
afterEach(() => vi.useRealTimers())

const at = (x: number, y: number, more: Partial<HandAt> = {}): HandAt => ({
  at: { x, y },
  scale: 40,
  isDrag: false,
  isBackground: false,
  isSelecting: false,
  isShift: false,
  ...more,
})

function click(x: number, y: number, more: Partial<HandAt> = {}) {
  hand.move([at(x, y, more)])
  hand.down(at(x, y, more))
  hand.up(at(x, y, more))
}

function rest(x: number, y: number) {
  hand.move([at(x, y)])
  vi.advanceTimersByTime(500)
}

function answered() {
  hand.hover.answered(previews.at(-1)!.id, [CANDIDATE], new Float32Array(4))
}

describe('what a click would give', () => {
  test('is asked where the hand rests, not on its way, and one question at a time', () => {
    for (let x = 0; x < 4; x += 0.1) {
      hand.move([at(x, 1)])
      vi.advanceTimersByTime(20)
    }
    expect(previews).toEqual([])
    rest(1, 1)
    rest(2, 2)
    rest(3, 3)
    expect(previews).toHaveLength(1)
    answered()
    expect(hand.hover.shown).toBeNull() // the hand has gone on
    vi.advanceTimersByTime(500)
    expect(previews.at(-1)!.prompt).toMatchObject({ at: { x: 3, y: 3 } })
    answered()
    expect(hand.hover.shown?.candidates).toEqual([CANDIDATE])
  })

  test('is the answer of a click at that very place: the decoder is not asked again', () => {
    rest(2, 2)
    answered()
    click(2.02, 2)
    expect(asked).toEqual([])
    expect(editor.state).toMatchObject({ isWaiting: false, candidates: [CANDIDATE] })
    expect(editor.state.prompts).toEqual([{ kind: 'point', at: { x: 2, y: 2 }, label: 1 }])
    expect(hand.hover.shown).toBeNull()
  })

  test('is not the answer of a click elsewhere, nor of a background click', () => {
    rest(2, 2)
    answered()
    hand.down(at(2, 2, { isBackground: true }))
    hand.up(at(2, 2, { isBackground: true }))
    expect(asked).toHaveLength(1)
    editor.clear()
    rest(2, 2)
    answered()
    click(3, 3)
    expect(asked).toHaveLength(2)
  })

  test('is not asked while an object is in work, with another tool, with a mask selected, or switched off', () => {
    click(2, 2)
    rest(3, 3)
    editor.clear()
    hand.take('brush')
    rest(1, 1)
    hand.take('prompt')
    toolbox.setState({ isHoverOn: false })
    rest(2, 2)
    toolbox.setState({ isHoverOn: true })
    hand.canPrompt = false
    rest(3, 3)
    expect(previews).toEqual([])
  })

  test('is not asked for any more where the decoder is slow', () => {
    rest(2, 2)
    now += 400
    answered()
    rest(3, 3)
    rest(1, 1)
    expect(previews).toHaveLength(1)
  })

  test('is asked for again after a while, in case the decoder is faster then', () => {
    rest(2, 2)
    now += 400
    answered()
    now += 10_000
    rest(3, 3)
    expect(previews).toHaveLength(2)
    now += 20
    answered()
    rest(1, 1)
    expect(previews).toHaveLength(3)
  })

  test('is not asked for in a row where there is no answer', () => {
    rest(2, 2)
    hand.hover.answered(previews.at(-1)!.id, [], new Float32Array())
    rest(1, 1)
    expect(previews).toHaveLength(1)
    vi.advanceTimersByTime(500)
    expect(previews).toHaveLength(2)
  })

  test('is not asked of the server', () => {
    hand.canPreview = false
    rest(2, 2)
    expect(previews).toEqual([])
  })

  test('of another photo is no answer', () => {
    rest(2, 2)
    hand.hover.reset()
    answered()
    expect(hand.hover.shown).toBeNull()
  })
})

describe('tools', () => {
  test('a click while the model gets ready is asked about, and what it would give is not', () => {
    hand.canPrompt = false
    rest(1, 1)
    click(1, 1)
    expect(previews).toEqual([])
    expect(asked).toEqual([[{ kind: 'point', at: { x: 1, y: 1 }, label: 1 }]])
    expect(editor.state.isWaiting).toBe(true)
  })

  test('strokes need no model, clicks do', () => {
    hand.isModelOut = true
    click(1, 1)
    expect(editor.isBusy).toBe(false)
    hand.take('brush')
    click(1, 1)
    expect(editor.isBusy).toBe(true)
    expect(asked).toEqual([])
  })

  test('where the model will not answer after all, what waited for its answer is given up, and strokes are made', () => {
    click(1, 1)
    editor.accept()
    expect(editor.state.isPromised).toBe(true)
    hand.isModelOut = true
    expect(editor.state).toMatchObject({ isPromised: false, isWaiting: false })
    editor.clear()
    hand.take('brush')
    click(2, 2)
    expect(editor.state.painted).not.toBeNull()
  })

  test('a stroke is shown while it goes on, and stored when the hand lets go', () => {
    hand.take('brush')
    hand.down(at(0.5, 0.5))
    hand.move([at(1.5, 0.5), at(2.5, 0.5)])
    expect(editor.state).toMatchObject({ isPainting: true, painted: null })
    expect(editor.takeTouched()).toEqual([0, 0, 4, 4])
    expect(editor.takeTouched()).toBeNull()
    hand.up(at(2.5, 0.5))
    expect(editor.state.isPainting).toBe(false)
    editor.accept()
    expect(editor.state.masks[0]!.mask).toMatchObject({ box: [0, 0, 3, 1] })
  })

  test('another tool gives the gesture up that goes on', () => {
    hand.take('polygon')
    hand.down(at(0, 0))
    hand.up(at(0, 0))
    hand.take('brush')
    expect(hand.gesture.name).toBe('idle')
    expect(hand.escape()).toBe(false)
  })

  test('Ctrl and a click selects, whatever the tool; with Shift one more; elsewhere none', () => {
    hand.take('brush')
    click(0.5, 0.5)
    editor.accept()
    click(3.5, 3.5)
    editor.accept()
    click(0.5, 0.5, { isSelecting: true })
    expect(editor.selection()).toEqual(['n1'])
    click(3.5, 3.5, { isSelecting: true, isShift: true })
    expect(editor.selection()).toEqual(['n1', 'n2'])
    click(2, 1, { isSelecting: true })
    expect(editor.selection()).toEqual([])
  })

  test('a hand does not select what is out of sight while another mask is shown alone', () => {
    hand.take('brush')
    click(0.5, 0.5)
    editor.accept()
    click(3.5, 3.5)
    editor.accept()
    look.isolate('n2')
    click(0.5, 0.5, { isSelecting: true })
    expect(editor.selection()).toEqual([])
    click(3.5, 3.5, { isSelecting: true })
    expect(editor.selection()).toEqual(['n2'])
  })

  test('a click on a point takes it away, a drag moves it', () => {
    click(1, 1)
    hand.down(at(1, 1))
    hand.move([at(3, 2, { isDrag: true })])
    expect(hand.prompts()).toEqual([{ kind: 'point', at: { x: 3, y: 2 }, label: 1 }])
    hand.up(at(3, 2, { isDrag: true }))
    expect(editor.state.prompts).toEqual([{ kind: 'point', at: { x: 3, y: 2 }, label: 1 }])
    click(3, 2)
    expect(editor.isBusy).toBe(false)
  })

  test('the wheel with Alt goes through the masks that are offered, or sizes the brush', () => {
    click(2, 2)
    editor.answered('photo', editor.state.revision, [CANDIDATE, { ...CANDIDATE, index: 1 }])
    hand.wheel(1)
    expect(editor.state.chosen).toBe(1)
    hand.take('eraser')
    hand.wheel(-1)
    expect(toolbox.getState().diameter).toBe(2)
  })

  test('a polygon closes with Enter and loses corners with Ctrl+Z before anything else does', () => {
    hand.take('polygon')
    for (const [x, y] of [
      [0, 0],
      [4, 0],
      [4, 4],
    ] as const) {
      click(x, y)
    }
    expect(hand.back()).toBe(true)
    click(0, 4)
    expect(hand.confirm()).toBe(true)
    expect(hand.confirm()).toBe(false)
    expect(hand.back()).toBe(false)
    expect(editor.isBusy).toBe(true)
  })

  describe('a polygon that is given up', () => {
    const corners = () => (hand.gesture.name === 'drawing' ? hand.gesture.corners.length : 0)

    beforeEach(() => {
      hand.take('polygon')
      for (const x of [0, 2, 4]) click(x, x % 4)
    })

    test('is not by its own key', () => {
      hand.take('polygon')
      expect(corners()).toBe(3)
    })

    test.each([
      ['another tool', () => hand.take('brush')],
      ['Escape', () => hand.escape()],
    ])('by %s comes back with Ctrl+Z, once, and goes on', (_, act) => {
      act()
      expect(corners()).toBe(0)
      expect(hand.resume()).toBe(true)
      expect([toolbox.getState().tool, corners()]).toEqual(['polygon', 3])
      expect(hand.resume()).toBe(false)
      hand.confirm()
      expect(editor.state.painted).not.toBeNull()
      expect(hand.resume()).toBe(false)
    })

    test.each([
      ['another stroke', () => click(1, 1)],
      ['an object that was given up, too', () => { hand.take('prompt'); click(1, 1); editor.clear() }],
      ['another photo', () => editor.open('photo 2', editor.state.masks, { height: 4, width: 4 })],
    ])('does not come back after %s', (_, act) => {
      hand.take('brush')
      act()
      expect(hand.resume()).toBe(false)
      expect(corners()).toBe(0)
    })

    test('by a second finger on its first corner is none', () => {
      while (hand.back());
      hand.down(at(1, 1))
      hand.takePressBack()
      expect(hand.resume()).toBe(false)
    })
  })

  test('Enter and Ctrl+Z reach a polygon while the hand is elsewhere on the page', () => {
    hand.take('polygon')
    for (const x of [0, 2, 4]) click(x, x % 4)
    hand.leave()
    expect(hand.back()).toBe(true)
    click(4, 4)
    hand.leave()
    expect(hand.confirm()).toBe(true)
    expect(editor.isBusy).toBe(true)
  })

  test('what is held down can be let go, and leaves no trace; a polygon is not held', () => {
    hand.take('brush')
    hand.down(at(1, 1))
    hand.letGo()
    hand.move([at(3, 3)])
    hand.up(at(3, 3))
    expect(editor.state).toMatchObject({ isPainting: false, painted: null })
    hand.take('polygon')
    click(1, 1)
    hand.letGo()
    expect(hand.gesture.name).toBe('drawing')
  })

  test('Enter in the middle of a stroke accepts nothing, and the stroke goes on', () => {
    hand.take('brush')
    hand.down(at(1, 1))
    expect(hand.confirm()).toBe(true)
    hand.up(at(1, 1))
    expect(editor.state.masks).toEqual([])
    expect(editor.isBusy).toBe(true)
  })

  test('a click beside a prompt of an object that is as good as accepted begins the next one', () => {
    click(1, 1)
    editor.accept()
    click(1.1, 1)
    editor.answered('photo', editor.state.revision, [CANDIDATE])
    expect(editor.state.masks).toHaveLength(1)
    expect(editor.state.prompts).toEqual([{ kind: 'point', at: { x: 1.1, y: 1 }, label: 1 }])
  })

  test('Enter between down and up accepts what the click makes; Escape takes that back', () => {
    rest(2, 2)
    answered()
    hand.down(at(2, 2))
    expect(hand.confirm()).toBe(true)
    hand.up(at(2, 2))
    expect(editor.state.masks).toHaveLength(1)
    hand.down(at(1, 1))
    hand.confirm()
    hand.escape()
    hand.up(at(1, 1))
    expect(editor.isBusy).toBe(false)
    click(1, 1)
    expect(editor.isBusy).toBe(true)
    expect(editor.state.masks).toHaveLength(1)
  })
})

test('a press that is given up leaves the polygon before it, even where it closed it, and of a stroke nothing', () => {
  hand.take('polygon')
  for (const [x, y] of [
    [0, 0],
    [3, 0],
    [3, 3],
  ] as const)
    click(x, y)
  const { gesture } = hand
  hand.down(at(0, 3))
  hand.takePressBack()
  expect(hand.gesture).toEqual({ ...gesture, to: { x: 3, y: 3 } })
  hand.down(at(0, 0))
  expect(editor.state.painted).not.toBeNull()
  hand.takePressBack()
  expect(editor.state.painted).toBeNull()
  expect(hand.gesture).toMatchObject({ name: 'drawing', corners: [{}, {}, {}] })

  hand.take('brush')
  hand.down(at(1, 1))
  hand.move([at(2, 1, { isDrag: true })])
  hand.takePressBack()
  hand.up(at(2, 1))
  expect(editor.state).toMatchObject({ painted: null, isPainting: false })
})

test('keys alone select one more, so that masks can be merged without a mouse', () => {
  const masks = [mask('#...', '....'), mask('...#', '....')].map((own, index) => madeByHand(own, `m${index}`, null, 0))
  editor.open('photo', masks, { height: 2, width: 4 })
  hand.take('select')
  const view = { scale: 100, offsetX: 0, offsetY: 0 }
  const pane = { width: 400, height: 200 }
  const photo = { width: 4, height: 2 }
  const keyboard = new KeyboardHand(hand, { view: () => view, pane: () => pane, photo: () => photo, show: () => {} })
  keyboard.at = { x: 0.5, y: 0.5 }
  keyboard.click(false)
  keyboard.at = { x: 3.5, y: 0.5 }
  keyboard.click(true)
  expect(editor.selection()).toEqual(['m0', 'm1'])
  expect(editor.merge()).toMatchObject({ done: true })
})
