import { expect, test } from 'vitest'
import { Seen } from '@/features/workspace/canvas/seen'
import { fitted, panned, zoomed } from '@/features/workspace/tools/panTool'

const photo = { width: 1500, height: 1000 }
const pane = { width: 980, height: 640 }

function watched() {
  const frames: (() => void)[] = []
  const seen = new Seen(photo, pane, tell => frames.push(tell))
  let told = 0
  seen.subscribe(() => told++)
  return { seen, told: () => told, frame: () => frames.splice(0).forEach(tell => tell()) }
}

test('each of many moves between two frames counts, and those who draw are told once', () => {
  const { seen, told, frame } = watched()
  const before = seen.get()
  for (let i = 0; i < 5; i++) seen.show(panned(seen.get(), 3, -2))
  seen.show(zoomed(seen.get(), 2, { x: 0, y: 0 }, photo, pane))
  seen.show(zoomed(seen.get(), 2, { x: 0, y: 0 }, photo, pane))
  expect(seen.get().scale).toBeCloseTo(4 * before.scale)
  expect(seen.get().offsetX).toBeCloseTo(4 * (before.offsetX + 15))
  expect(seen.get().offsetY).toBeCloseTo(4 * (before.offsetY - 10))
  expect(told()).toBe(0)
  frame()
  expect(told()).toBe(1)
  seen.show(null)
  frame()
  expect(told()).toBe(2)
})

test('a photo begins whole and stays so while its window grows; what a hand has chosen stays where it is', () => {
  const { seen, told } = watched()
  expect(seen.get()).toEqual(fitted(photo, pane))
  const larger = { width: 1200, height: 900 }
  seen.resize(larger)
  expect(seen.get()).toEqual(fitted(photo, larger))
  expect(told()).toBe(1)
  const chosen = { scale: 3, offsetX: -10, offsetY: 5 }
  seen.show(chosen)
  seen.resize(pane)
  expect(seen.get()).toBe(chosen)
  seen.show(null)
  expect(seen.get()).toEqual(fitted(photo, pane))
})
