import { expect, test } from 'vitest'
import { promptTool } from '@/features/workspace/tools/promptTool'
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
