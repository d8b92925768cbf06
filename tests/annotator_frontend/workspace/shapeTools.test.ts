import { describe, expect, test } from 'vitest'
import { brushTool, lassoTool, polygonTool, selectTool } from '@/features/workspace/tools/shapeTools'
import { resized } from '@/features/workspace/tools/toolbox'
import { drive } from './hand'

const at = (x: number, y: number) => ({ x, y })

describe('brush and eraser', () => {
  test('paint along the way of the hand, from where it pressed', () => {
    const hand = drive(brushTool(true, () => 9))
    hand.down(1, 1).expectState('painting').move(5, 2).move(8, 3).up(8, 3).expectState('idle')
    expect(hand.prompts).toEqual([
      { kind: 'stroke', adds: true, diameter: 9, path: [at(1, 1), at(5, 2), at(8, 3)] },
    ])
  })

  test('are each other with the background button, or Alt', () => {
    const [brush, eraser] = [true, false].map(adds => drive(brushTool(adds, () => 3)))
    brush!.down(1, 1, 'background').up(1, 1)
    eraser!.down(1, 1).up(1, 1).down(2, 2, 'background').up(2, 2)
    expect(brush!.prompts).toMatchObject([{ adds: false }])
    expect(eraser!.prompts).toMatchObject([{ adds: false }, { adds: true }])
  })

  test('leave nothing behind after Escape', () => {
    const hand = drive(brushTool(true, () => 3))
    hand.down(1, 1).move(5, 5).escape().move(6, 6).up(6, 6)
    expect(hand.prompts).toEqual([])
  })

  test('grow by a pixel where they are small, and by an eighth where they are large', () => {
    expect([1, 2, 8, 40].map(size => resized(size, 1))).toEqual([2, 3, 9, 45])
    expect([1, 2, 8, 40].map(size => resized(size, -1))).toEqual([1, 1, 7, 35])
    expect(resized(399, 1)).toBe(400)
  })
})

test('a lasso is the way of the hand, closed where it lets go', () => {
  const hand = drive(lassoTool)
  hand.down(1, 1, 'background').move(9, 1).move(9, 9).up(9, 9)
  expect(hand.prompts).toEqual([{ kind: 'area', adds: false, path: [at(1, 1), at(9, 1), at(9, 9)] }])
  hand.down(1, 1).move(9, 1).escape().up(9, 9)
  expect(hand.prompts).toHaveLength(1)
})

describe('a polygon', () => {
  const drawn = () => drive(polygonTool).down(1, 1).up(1, 1).move(30, 1).down(30, 1).up(30, 1).down(30, 30).up(30, 30)
  const triangle = [{ kind: 'area', adds: true, path: [at(1, 1), at(30, 1), at(30, 30)] }]

  test('closes with Enter', () => {
    const hand = drawn().confirm()
    expect(hand.prompts).toEqual(triangle)
  })

  test('closes with a click on its first corner, and with a second click on its last', () => {
    expect(drawn().down(2, 2).prompts).toEqual(triangle)
    expect(drawn().down(30, 30).prompts).toEqual(triangle)
  })

  test('of two corners does not close', () => {
    const hand = drive(polygonTool).down(1, 1).up(1, 1).down(30, 1).up(30, 1).confirm().down(30, 1)
    expect(hand.expectState('drawing').prompts).toEqual([])
  })

  test('loses its last corner with Ctrl+Z, and is gone with its first', () => {
    const hand = drawn().back().down(1, 30).confirm()
    expect(hand.prompts).toEqual([{ kind: 'area', adds: true, path: [at(1, 1), at(30, 1), at(1, 30)] }])
    drawn().back().back().expectState('drawing').back().expectState('idle')
  })

  test('cuts where it was begun with the background button', () => {
    const hand = drive(polygonTool).down(1, 1, 'background').down(30, 1).down(30, 30).confirm()
    expect(hand.prompts).toMatchObject([{ adds: false }])
  })

  test('leaves nothing behind after Escape', () => {
    expect(drawn().escape().confirm().prompts).toEqual([])
  })
})

test('the arrow selects where it pressed', () => {
  const hand = drive(selectTool).down(3, 4).move(20, 20).up(20, 20)
  expect(hand.prompts).toEqual([{ kind: 'select', at: at(3, 4), isMore: false }])
})
