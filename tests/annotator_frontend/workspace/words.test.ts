import { expect, test } from 'vitest'
import { storedPrompt } from '@/features/workspace/saving/maskBody'
import { isAmbiguous, type Prompt, textToken, toModelFrame } from '@/shared/geometry/modelFrame'

const words: Prompt = { kind: 'text', words: 'a wheel', token: [0.5, -1] }
const click: Prompt = { kind: 'point', at: { x: 3, y: 4 }, label: 1 }

test('words go in as their token, beside the points, and alone with the padding point', () => {
  expect([...textToken([click, words])]).toEqual([0.5, -1])
  expect(textToken([click])).toHaveLength(0)
  expect([...toModelFrame([words], 1).labels]).toEqual([-1])
  expect([...toModelFrame([words, click], 1).labels]).toEqual([1, -1])
})

test('lone words are ambiguous, words with a click are not', () => {
  expect(isAmbiguous([words])).toBe(true)
  expect(isAmbiguous([words, click])).toBe(false)
})

test('the server is told the words, not the token', () => {
  expect(storedPrompt(words)).toEqual({ kind: 'text', words: 'a wheel' })
})
