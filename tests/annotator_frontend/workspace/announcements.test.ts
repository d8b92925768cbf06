import { beforeEach, expect, test } from 'vitest'
import { Editor } from '@/features/workspace/editor/editor'
import type { Shape } from '@/features/workspace/editor/shape'
import { cornersOf, whatHappened, whichTool } from '@/features/workspace/useAnnouncements'

let editor: Editor
let told: string[]

beforeEach(() => {
  let ids = 0
  editor = new Editor({
    ask: () => {},
    put: () => {},
    remove: () => {},
    notAccepted: () => {},
    newId: () => `n${++ids}`,
    secondsSpent: () => 1,
  })
  editor.open('photo', [], { height: 4, width: 16 })
  told = []
  editor.store.subscribe((now, before) => {
    const said = whatHappened(now, before)
    if (said) told.push(said)
  })
})

const stroke = (x: number, adds = true): Shape => ({ kind: 'stroke', adds, diameter: 1, path: [{ x, y: 1.5 }] })

/** Objects of a pixel each, at these columns. */
function accept(...columns: number[]): void {
  for (const x of columns) {
    editor.paint(stroke(x + 0.5))
    editor.accept()
  }
}

const ids = () => editor.state.masks.map(({ id }) => id)

test('a correction that is accepted is told, and which object it was', () => {
  accept(1, 5)
  editor.select(ids()[1]!)
  editor.paint(stroke(6.5))
  told.length = 0
  editor.accept()
  expect(told).toEqual(['Object 2 corrected. Objects: 2'])
})

test('merging, splitting and removing are told as what they are', () => {
  accept(1, 5, 9)
  const [a, b, c] = ids()
  editor.select(a!)
  editor.alsoSelect(b!)
  told.length = 0
  expect(editor.merge()).toMatchObject({ done: true })
  expect(editor.split()).toMatchObject({ done: true })
  editor.remove(c!)
  expect(told).toEqual([
    'Objects merged. Objects: 2',
    'Object 1 of 2 selected',
    'Object split. Objects: 3',
    'Object 1 of 3 selected',
    'Object removed. Objects: 2',
  ])
})

test('what somebody else has made is no object that was accepted here', () => {
  accept(1)
  told.length = 0
  const [own] = editor.state.masks
  editor.meet([own!, { ...own!, id: 'theirs', isNew: false }])
  expect(editor.state.masks).toHaveLength(2)
  expect(told).toEqual([])
})

test('who gives up what was painted, without a click, is told so', () => {
  editor.paint(stroke(1.5))
  told.length = 0
  editor.clear()
  expect(told).toEqual(['Given up'])
  accept(3)
  expect(told.at(-1)).toBe('Object accepted. Objects: 1')
})

test('strokes are told, and so are the tool that is taken up and the corners of a polygon', () => {
  editor.paint(stroke(1.5))
  editor.paint(stroke(2.5))
  editor.undo()
  expect(told).toEqual(['Painted', 'Painted', 'Undone. Objects: 0'])
  expect([whichTool({ tool: 'lasso' }, { tool: 'brush' }), whichTool({ tool: 'lasso' }, { tool: 'lasso' })]).toEqual([
    'Lasso',
    null,
  ])
  const at = { x: 0, y: 0 }
  expect(cornersOf({ name: 'drawing', adds: true, corners: [at, at], to: at })).toBe(2)
  expect(cornersOf({ name: 'idle' })).toBe(0)
})
