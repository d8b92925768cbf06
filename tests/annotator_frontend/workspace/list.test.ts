import { createElement } from 'react'
import { beforeEach, describe, expect, test } from 'vitest'
import { createStore } from 'zustand/vanilla'
import { type AcceptedMask, Editor } from '@/features/workspace/editor/editor'
import { Look } from '@/features/workspace/editor/look'
import { inOrder, maskAt } from '@/features/workspace/editor/order'
import { ObjectList, pick } from '@/features/workspace/panels/ObjectList'
import { actual, inView, toPhoto } from '@/features/workspace/tools/panTool'
import { rendered } from '../shared/rendered'

const mask = (id: string, x: number, side: number, predictedIou: number | null): AcceptedMask => ({
  id,
  mask: {
    size: { height: 50, width: 50 },
    box: [x, 0, x + side, side],
    bits: new Uint8Array(side * side).fill(1),
  },
  counts: '',
  origin: 'assisted',
  prompts: [],
  predictedIou,
  stability: null,
  choice: null,
  seconds: null,
  clicks: 0,
  isNew: true,
  replaces: null,
  locked: false,
  cropBox: null,
})
const masks = [mask('a', 0, 20, 0.9), mask('b', 5, 5, null), mask('c', 30, 10, 0.4)]

test('the list sorts by size and by confidence, and objects keep their numbers', () => {
  const ids = (order: 'order' | 'size' | 'confidence') =>
    inOrder(masks, order).map(row => `${row.mask.id}${row.number}`)
  expect(ids('order')).toEqual(['a1', 'b2', 'c3'])
  expect(ids('size')).toEqual(['a1', 'c3', 'b2'])
  expect(ids('confidence')).toEqual(['c3', 'a1', 'b2'])
})

test('of masks that lie on each other, a hand means the smallest', () => {
  expect(maskAt(masks, 6, 1)).toBe('b')
  expect(maskAt(masks, 15, 15)).toBe('a')
  expect(maskAt(masks, 25, 25)).toBeNull()
  expect(maskAt(masks, -1, 3)).toBeNull()
})

test('opacity and order are remembered, what is isolated is not', () => {
  const kept = new Map<string, string>()
  const memory = () =>
    ({ getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) }) as unknown as Storage
  const look = new Look(memory)
  look.setFill(0.7)
  look.setOrder('size')
  look.isolate('a')
  expect(new Look(memory).store.getState()).toEqual({ fill: 0.7, order: 'size', isolated: null, hovered: null })
  expect(new Look(() => { throw new Error('forbidden') }).store.getState().fill).toBe(0.3)
})

test('whoever selects a mask that is out of sight sees all again', () => {
  const look = new Look(() => { throw new Error('forbidden') })
  look.isolate('a')
  look.reveal(['a'])
  look.reveal([])
  expect(look.store.getState().isolated).toBe('a')
  look.reveal(['a', 'b'])
  expect(look.store.getState().isolated).toBeNull()
})

test('isolating again shows all', () => {
  const look = new Look(() => { throw new Error('forbidden') })
  expect(look.isolate('a')).toBe(true)
  expect(look.isolate('b')).toBe(true)
  expect(look.store.getState().isolated).toBeNull()
  expect(look.isolate(null)).toBe(false)
})

test('at 100 % a pixel is a pixel of the screen and the middle stays; what is in view is whole pixels of the photo', () => {
  const pane = { width: 400, height: 300 }
  const view = { scale: 0.2, offsetX: 10, offsetY: 20 }
  const middle = { x: 200, y: 150 }
  for (const ratio of [1, 2, 1.5]) {
    const after = actual(view, pane, ratio)
    expect(after.scale * ratio).toBe(1)
    // Pixels lie on pixels.
    for (const offset of [after.offsetX, after.offsetY]) expect(offset * ratio).toBeCloseTo(Math.round(offset * ratio))
    expect(Math.abs(toPhoto(after, middle).x - toPhoto(view, middle).x)).toBeLessThanOrEqual(0.5)
  }
  expect(inView(view, { width: 1000, height: 5000 }, pane)).toEqual([0, 0, 1000, 1400])
})

/** The list's rows, as the page shows them first. */
function rows(editor: Editor): string[] {
  const look = { store: createStore(() => ({ order: 'order', fill: 0, isolated: null, hovered: null })) }
  const shown = { store: createStore(() => editor.state) }
  const html = rendered(
    createElement(ObjectList, { editor: shown, look, painter: {}, colours: new Map(), onEmptied: () => {} } as never),
  )
  return html.match(/<li.*?<\/li>/gs)!
}

test('the row of a locked mask says so, and offers neither to select nor to remove it', () => {
  const editor = new Editor({} as never)
  editor.open('photo', [masks[0]!, { ...masks[1]!, locked: true }], { height: 50, width: 50 })
  const [free, locked] = rows(editor)
  expect(free).toContain('aria-label="Remove object 1"')
  expect(free).not.toMatch(/aria-disabled|locked/)
  expect(locked).toContain('aria-disabled="true"')
  expect(locked).toContain(' · locked')
  expect(locked).not.toContain('Remove object')
})

test('a click on a row with Shift or Ctrl selects one more, and every row of what is selected is marked', () => {
  const editor = new Editor({} as never)
  editor.open('photo', masks, { height: 50, width: 50 })
  const click = (id: string, held: object = {}) =>
    pick(editor, id, { shiftKey: false, ctrlKey: false, metaKey: false, ...held })
  click('a')
  click('c', { shiftKey: true })
  click('b', { ctrlKey: true })
  expect(editor.selection()).toEqual(['a', 'c', 'b'])
  click('b', { metaKey: true })
  expect(editor.selection()).toEqual(['a', 'c'])
  expect(rows(editor).map(row => row.includes('aria-pressed="true"') && row.includes('data-selected="true"'))).toEqual([
    true,
    false,
    true,
  ])
  click('a')
  expect(editor.selection()).toEqual(['a'])
  click('a')
  expect(editor.selection()).toEqual([])
})

describe('a mask that is shown alone', () => {
  const look = new Look(() => { throw new Error('forbidden') })
  const editor = new Editor({ put: () => {}, remove: () => {}, newId: () => crypto.randomUUID(), secondsSpent: () => 0 } as never)
  editor.store.subscribe((now, before) => look.follow(now.masks, before.masks))
  const alone = () => editor.state.masks.findIndex(({ id }) => id === look.store.getState().isolated)
  const paint = (x: number) => editor.paint({ kind: 'stroke', adds: true, diameter: 3, path: [{ x, y: 40 }] })

  beforeEach(() => {
    editor.open('photo', masks, { height: 50, width: 50 })
    look.reset()
    look.isolate('b')
  })

  test('is so once it was corrected, and after undo and redo of that', () => {
    editor.select('b')
    paint(9)
    editor.accept()
    expect(look.store.getState().isolated).not.toBe('b')
    expect(alone()).toBe(1)
    editor.undo()
    expect(alone()).toBe(1)
    editor.redo()
    expect(alone()).toBe(1)
  })

  test('is so whatever is removed besides; once it is removed itself all are shown', () => {
    editor.remove('a')
    expect(look.store.getState().isolated).toBe('b')
    editor.remove('b')
    expect(look.store.getState().isolated).toBeNull()
  })

  test('does not hide an object that is accepted: all are shown', () => {
    paint(9)
    editor.accept()
    expect(look.store.getState().isolated).toBeNull()
  })
})
