import { expect, test } from 'vitest'
import { floatsOf } from '@/features/workspace/decoder/float16'
import { commandOf, keymapOf } from '@/features/workspace/keymap'
import { fitted, toPhoto, zoomed } from '@/features/workspace/tools/panTool'

const photo = { width: 1500, height: 1000 }
const pane = { width: 980, height: 640 }

test('a photo fits its window, in the middle', () => {
  const view = fitted(photo, pane)
  expect(photo.width * view.scale).toBeLessThanOrEqual(pane.width)
  expect(view.offsetX * 2 + photo.width * view.scale).toBeCloseTo(pane.width)
  expect(view.offsetY * 2 + photo.height * view.scale).toBeCloseTo(pane.height)
})

test('zooming keeps the place under the cursor where it was', () => {
  const view = fitted(photo, pane)
  const cursor = { x: 300, y: 200 }
  const before = toPhoto(view, cursor)
  const after = toPhoto(zoomed(view, 3, cursor, photo, pane), cursor)
  expect(after.x).toBeCloseTo(before.x)
  expect(after.y).toBeCloseTo(before.y)
})

test('zooming ends somewhere, both ways', () => {
  const view = fitted(photo, pane)
  expect(zoomed(view, 1e9, { x: 0, y: 0 }, photo, pane).scale).toBe(40)
  expect(zoomed(view, 1e-9, { x: 0, y: 0 }, photo, pane).scale).toBeGreaterThan(0.1)
})

test('keys mean what hands are used to', () => {
  const press = (key: string, held: Partial<Record<'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey', boolean>> = {}) =>
    commandOf({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held }, keymapOf({}))
  expect(press('Enter')).toBe('accept')
  expect(press('Enter', { ctrlKey: true })).toBe('submit')
  expect(press('Enter', { metaKey: true })).toBe('submit')
  expect(press('z', { ctrlKey: true })).toBe('undo')
  expect(press('Z', { ctrlKey: true, shiftKey: true })).toBe('redo')
  expect(press('y', { ctrlKey: true })).toBe('redo')
  expect(press('2')).toBe('candidate 2')
  expect(press('Tab', { shiftKey: true })).toBe('previous candidate')
  expect(press('F9')).toBeNull()
})

test('float16 is read as it lies in memory', () => {
  const half = new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7bff, 0x0000, 0x3555])
  const floats = floatsOf(half.buffer)
  expect([...floats.slice(0, 2)]).toEqual([1, -2])
  expect(floats[2]).toBeCloseTo(5.960464e-8, 12)
  expect(floats[3]).toBe(65504)
  expect(floats[5]).toBeCloseTo(1 / 3, 3)
})
