import { expect, test } from 'vitest'
import type { AcceptedMask } from '@/features/workspace/editor/editor'
import { Look } from '@/features/workspace/editor/look'
import { inOrder, maskAt } from '@/features/workspace/editor/order'
import { actual, inView, toPhoto } from '@/features/workspace/tools/panTool'

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

test('isolating again shows all', () => {
  const look = new Look(() => { throw new Error('forbidden') })
  expect(look.isolate('a')).toBe(true)
  expect(look.isolate('b')).toBe(true)
  expect(look.store.getState().isolated).toBeNull()
  expect(look.isolate(null)).toBe(false)
})

test('at 100 % a pixel is a pixel and the middle stays; what is in view is whole pixels of the photo', () => {
  const pane = { width: 400, height: 300 }
  const view = { scale: 0.2, offsetX: 10, offsetY: 20 }
  const middle = { x: 200, y: 150 }
  const after = actual(view, pane)
  expect(after.scale).toBe(1)
  expect(toPhoto(after, middle).x).toBeCloseTo(toPhoto(view, middle).x, 0)
  expect(inView(view, { width: 1000, height: 5000 }, pane)).toEqual([0, 0, 1000, 1400])
})
