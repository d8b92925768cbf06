import { expect, test } from 'vitest'
import { Pointers, pinched, wheelZoom } from '@/features/workspace/canvas/gestures'
import { fitted, toPhoto } from '@/features/workspace/tools/panTool'

const photo = { width: 1500, height: 1000 }
const pane = { width: 980, height: 640 }
const at = (x: number, y = 0) => ({ x, y })
const touch = (id: number, x = 0) => ({ id, kind: 'touch', at_screen: at(x), isDown: true })
const mouse = { id: 1, kind: 'mouse', at_screen: at(0), isDown: true }
const pen = { id: 7, kind: 'pen', at_screen: at(0), isDown: true }

const PRESS = { isPress: true, isGivenUp: false }
const NOTHING = { isPress: false, isGivenUp: false }

test('while one pointer is pressed, moves and ups of others are not the hand’s', () => {
  const pointers = new Pointers()
  expect(pointers.down(mouse)).toEqual(PRESS)
  expect(pointers.down(touch(2))).toEqual(NOTHING)
  expect([pointers.move(touch(2, 9)), pointers.up(2)]).toEqual([null, false])
  expect([pointers.move(mouse), pointers.up(1)]).toEqual(['hand', true])
  expect(pointers.move(mouse)).toBe('hand') // it hovers
})

test('a hand that moves without its button has let go, though the page did not hear of it; from then on it hovers', () => {
  const pointers = new Pointers()
  pointers.down(mouse)
  expect(pointers.move(mouse)).toBe('hand')
  const free = { ...mouse, isDown: false }
  expect([pointers.move(free), pointers.move(free), pointers.up(1)]).toEqual(['let go', 'hand', false])
  expect(pointers.down(mouse)).toEqual(PRESS)
})

test('a second finger gives up what the first began, and both move the photo until both are gone', () => {
  const pointers = new Pointers()
  expect(pointers.down(touch(2, 10))).toEqual(PRESS)
  expect(pointers.move(touch(2, 20))).toBe('hand')
  expect(pointers.down(touch(3, 60))).toEqual({ isPress: false, isGivenUp: true })
  expect(pointers.move(touch(3, 100))).toEqual({ from: [at(20), at(60)], to: [at(20), at(100)] })
  expect(pointers.move(touch(2, 0))).toEqual({ from: [at(20), at(100)], to: [at(0), at(100)] })
  expect(pointers.down(touch(4, 50))).toEqual(NOTHING)
  expect(pointers.up(2)).toBe(false)
  expect(pointers.move(touch(3, 70))).toBeNull() // the finger that is left paints nothing
  expect(pointers.up(3)).toBe(false)
  expect(pointers.down(touch(5))).toEqual(PRESS)
})

test('a palm beside the pen does nothing, whichever of the two came first', () => {
  const pointers = new Pointers()
  expect(pointers.down(pen)).toEqual(PRESS)
  expect(pointers.down(touch(2))).toEqual(NOTHING)
  expect([pointers.move(touch(2, 5)), pointers.up(7)]).toEqual([null, true])
  expect(pointers.move(touch(2, 8))).toBeNull() // it still lies there
  expect(pointers.up(2)).toBe(false)

  expect(pointers.down(touch(3))).toEqual(PRESS)
  expect(pointers.down(pen)).toEqual({ isPress: true, isGivenUp: true })
  expect([pointers.move(touch(3, 5)), pointers.up(3), pointers.move(pen), pointers.up(7)]).toEqual([
    null,
    false,
    'hand',
    true,
  ])
})

test('two fingers keep the places of the photo that they hold', () => {
  const view = fitted(photo, pane)
  const [from, to] = [[at(300, 200), at(500, 200)] as const, [at(250, 260), at(650, 260)] as const]
  const after = pinched(view, { from, to }, photo, pane)
  expect(after.scale).toBeCloseTo(2 * view.scale)
  for (const one of [0, 1] as const) {
    const [held, now] = [toPhoto(view, from[one]), toPhoto(after, to[one])]
    expect([now.x, now.y]).toEqual([expect.closeTo(held.x), expect.closeTo(held.y)])
  }
})

test('two fingers at one place, or that meet, leave a view that can be seen', () => {
  const view = fitted(photo, pane)
  for (const [from, to] of [
    [[at(5), at(5)], [at(5), at(5)]],
    [[at(0), at(90)], [at(40), at(40)]],
  ] as const) {
    const { scale, offsetX, offsetY } = pinched(view, { from, to }, photo, pane)
    expect([scale, offsetX, offsetY].every(Number.isFinite) && scale > 0).toBe(true)
  }
})

test('a trackpad’s pinch to twice the size zooms to twice the size, and a mouse’s wheel with Ctrl does not jump', () => {
  const steps = 30
  // What a browser makes of a pinch: wheels with Ctrl that add up to 100 times the logarithm.
  const one = wheelZoom({ deltaY: (-100 * Math.log(2)) / steps, ctrlKey: true })
  expect(one ** steps).toBeCloseTo(2)
  expect(wheelZoom({ deltaY: -120, ctrlKey: true })).toBeLessThan(1.25)
  expect(wheelZoom({ deltaY: 120, ctrlKey: true })).toBeGreaterThan(0.8)
})

test('a plain wheel zooms as hands know it', () => {
  expect(wheelZoom({ deltaY: -100, ctrlKey: false })).toBeCloseTo(Math.exp(0.15))
  expect(wheelZoom({ deltaY: 1200, ctrlKey: false })).toBeCloseTo(Math.exp(-1.8))
})
