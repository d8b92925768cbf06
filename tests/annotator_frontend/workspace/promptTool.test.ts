import { expect, test } from 'vitest'
import { dragged, handleAt, promptTool } from '@/features/workspace/tools/promptTool'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { drive } from './hand'

test('a click is a foreground point', () => {
  const hand = drive(promptTool)
  hand.down(10, 20).up(10, 20).expectState('idle')
  expect(hand.prompts).toEqual([{ kind: 'point', at: { x: 10, y: 20 }, label: 1 }])
})

test('a right click is a background point', () => {
  const hand = drive(promptTool)
  hand.down(10, 20, 'background').up(10, 20)
  expect(hand.prompts).toEqual([{ kind: 'point', at: { x: 10, y: 20 }, label: 0 }])
})

test('a drag is a box, whichever corner it begins at', () => {
  const hand = drive(promptTool)
  hand.down(60, 40).move(10, 12).expectState('boxing').up(10, 12)
  expect(hand.prompts).toEqual([{ kind: 'box', box: [10, 12, 60, 40] }])
})

test('a hand that shakes a little still clicks, where it pressed', () => {
  const hand = drive(promptTool)
  hand.down(10, 20).move(12, 21).expectState('pointing').up(12, 21)
  expect(hand.prompts).toEqual([{ kind: 'point', at: { x: 10, y: 20 }, label: 1 }])
})

test('a box without a width becomes the click that it began as', () => {
  const hand = drive(promptTool)
  hand.down(10, 20).move(10, 50).up(10, 50)
  expect(hand.prompts).toEqual([{ kind: 'point', at: { x: 10, y: 20 }, label: 1 }])
})

test('nothing is boxed with the background button', () => {
  const hand = drive(promptTool)
  hand.down(10, 20, 'background').move(60, 70).up(60, 70)
  expect(hand.prompts).toEqual([{ kind: 'point', at: { x: 10, y: 20 }, label: 0 }])
})

test('Escape in the middle of a box leaves no prompt behind', () => {
  const hand = drive(promptTool)
  hand.down(10, 10).move(60, 40).expectState('boxing').escape().up(60, 40)
  expect(hand.prompts).toEqual([])
})

test('a release without a press is nothing', () => {
  const hand = drive(promptTool)
  hand.move(5, 5).up(5, 5)
  expect(hand.prompts).toEqual([])
})

const POINT: Prompt = { kind: 'point', at: { x: 50, y: 50 }, label: 0 }
const BOX: Prompt = { kind: 'box', box: [20, 20, 80, 60] }
const PHOTO = { width: 100, height: 100 }

test('a click on a prompt takes it away, a drag moves it', () => {
  const hand = drive(promptTool, { on: at => handleAt([BOX, POINT], at, 8) })
  hand.down(52, 50).up(52, 50)
  hand.down(52, 50).move(60, 70).expectState('holding').up(62, 70)
  const handle = { index: 1, corner: null }
  expect(hand.prompts).toEqual([
    { kind: 'change', handle, from: { x: 52, y: 50 }, to: null },
    { kind: 'change', handle, from: { x: 52, y: 50 }, to: { x: 62, y: 70 } },
  ])
  expect(dragged(POINT, handle, { x: 52, y: 50 }, { x: 62, y: 70 }, PHOTO)).toEqual({
    ...POINT,
    at: { x: 60, y: 70 },
  })
})

test('Escape in the middle of moving a prompt leaves it where it was', () => {
  const hand = drive(promptTool, { on: at => handleAt([POINT], at, 8) })
  hand.down(50, 50).move(90, 90).escape().up(90, 90)
  expect(hand.prompts).toEqual([])
})

test('a box is held by its corners and edges; inside it there is room for clicks', () => {
  const on = (x: number, y: number) => handleAt([BOX], { x, y }, 8)
  expect(on(50, 40)).toBeNull()
  expect(on(50, 22)).toEqual({ index: 0, corner: null })
  expect(on(82, 58)).toEqual({ index: 0, corner: 2 })
  expect(on(90, 40)).toBeNull()
  // A point on the edge is on top of it.
  expect(handleAt([BOX, { ...POINT, at: { x: 20, y: 40 } }], { x: 20, y: 40 }, 8)?.index).toBe(1)
})

test('an edge moves the box and keeps its size on the photo, a corner changes it, and over itself it turns round', () => {
  const by = (corner: 0 | 2 | null, x: number, y: number) => {
    const moved = dragged(BOX, { index: 0, corner }, { x: 0, y: 0 }, { x, y }, PHOTO)
    return moved.kind === 'box' ? moved.box : null
  }
  expect(by(null, 5, -5)).toEqual([25, 15, 85, 55])
  expect(by(null, 500, -500)).toEqual([40, 0, 100, 40])
  expect(by(2, 10, 10)).toEqual([20, 20, 90, 70])
  expect(by(0, 70, 10)).toEqual([80, 30, 90, 60])
  expect(by(0, 60, 10)).toEqual([20, 20, 80, 60]) // without a width it stays as it was
})
