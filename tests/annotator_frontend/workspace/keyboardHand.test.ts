import { beforeEach, expect, test } from 'vitest'
import type { HandAt } from '@/features/workspace/tools/hand'
import { KeyboardHand } from '@/features/workspace/tools/keyboardHand'
import type { View } from '@/features/workspace/tools/panTool'

const photo = { width: 400, height: 300 }
const pane = { width: 1000, height: 800 }

let view: View
let said: string[]
let now: number
let keyboard: KeyboardHand

const told = (what: string) => (hand: HandAt) =>
  said.push(`${what} ${hand.at.x} ${hand.at.y}${hand.isBackground ? ' away' : ''}${hand.isDrag ? ' dragged' : ''}`)

beforeEach(() => {
  view = { scale: 2, offsetX: 100, offsetY: 100 }
  said = []
  now = 0
  keyboard = new KeyboardHand(
    { down: told('down'), move: path => told('move')(path.at(-1)!), up: told('up'), letGo: () => said.push('let go') },
    { view: () => view, pane: () => pane, photo: () => photo, show: next => (view = next) },
    () => (now += 1000),
  )
})

test('it begins in the middle of what is seen, and a step is the same on the screen at every zoom', () => {
  keyboard.move(1, 0, false)
  expect(keyboard.at).toEqual({ x: 202, y: 150 })
  view = { scale: 8, offsetX: -1200, offsetY: -800 }
  keyboard.move(0, 1, false)
  expect(keyboard.at).toEqual({ x: 202, y: 150.5 })
})

test('far is farther, and a key that is held goes faster up to a limit', () => {
  keyboard.move(1, 0, true)
  expect(keyboard.at!.x).toBe(230)
  const places: number[] = []
  const held = new KeyboardHand(
    { down: () => {}, move: () => {}, up: () => {}, letGo: () => {} },
    { view: () => view, pane: () => pane, photo: () => ({ width: 4000, height: 300 }), show: next => (view = next) },
    () => (now += 30),
  )
  for (let i = 0; i < 30; i++) {
    held.move(1, 0, false)
    places.push(held.at!.x)
  }
  expect(places[1]! - places[0]!).toBeLessThan(places[9]! - places[8]!)
  expect(places[29]! - places[28]!).toBe(12)
})

test('it never leaves the photo, and the window follows it', () => {
  view = { scale: 10, offsetX: 0, offsetY: 0 }
  for (let i = 0; i < 200; i++) keyboard.move(1, 1, true)
  expect(keyboard.at).toEqual({ x: 400, y: 300 })
  const { x, y } = keyboard.toScreen(keyboard.at!)
  expect([x, y]).toEqual([pane.width - 32, pane.height - 32])
})

test('a click presses and lets go where it is, of either kind', () => {
  keyboard.click(false)
  keyboard.click(true)
  expect(said.filter(one => !one.startsWith('move'))).toEqual([
    'down 200 150',
    'up 200 150',
    'down 200 150 away',
    'up 200 150 away',
  ])
})

test('press, move, press is a drag: a box, or a stroke', () => {
  keyboard.press(false)
  keyboard.move(1, 0, true)
  keyboard.move(0, 1, true)
  keyboard.press(false)
  expect(said.slice(1)).toEqual(['down 200 150', 'move 230 150 dragged', 'move 230 180 dragged', 'up 230 180 dragged'])
  expect(keyboard.held).toBeNull()
})

test('Escape in the middle of a drag lets go, and the next press begins anew', () => {
  keyboard.press(false)
  keyboard.letGo()
  said = []
  keyboard.press(false)
  expect(said.at(-1)).toBe('down 200 150')
})

test('zooming keeps the crosshair where it is on the screen, and panning keeps it inside', () => {
  keyboard.move(1, 0, true)
  const before = keyboard.toScreen(keyboard.at!)
  keyboard.zoom(1)
  const after = keyboard.toScreen(keyboard.at!)
  expect([after.x, after.y]).toEqual([expect.closeTo(before.x), expect.closeTo(before.y)])
  for (let i = 0; i < 20; i++) keyboard.pan(1, 0)
  expect(keyboard.at!.x).toBeLessThanOrEqual(photo.width)
})

test('what it holds down is let go when the mouse takes over, or another photo comes', () => {
  keyboard.leave()
  keyboard.press(false)
  keyboard.move(1, 0, false)
  keyboard.leave()
  keyboard.leave()
  expect(said.filter(what => what === 'let go')).toEqual(['let go'])
  keyboard.click(false)
  keyboard.leave()
  expect(said.filter(what => what === 'let go')).toHaveLength(1)
})
