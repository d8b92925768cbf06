import { expect, test } from 'vitest'
import { floatsOf, halvesOf } from '@/features/workspace/decoder/float16'

test('every float16 comes back from float32 as it was', () => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits)
  const back = halvesOf(floatsOf(all.buffer))
  const isNan = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0
  expect(all.filter((bits, index) => !isNan(bits) && back[index] !== bits)).toEqual(new Uint16Array())
})

test('what lies between two float16 goes to the nearer one, and half way to the even one', () => {
  const half = (value: number) => floatsOf(halvesOf(Float32Array.of(value)).buffer)[0]
  const step = 2 ** -10 // between 1 and 2
  expect([half(1 + 0.4 * step), half(1 + 0.6 * step)]).toEqual([1, 1 + step])
  expect([half(1 + 0.5 * step), half(1 + 1.5 * step)]).toEqual([1, 1 + 2 * step])
  expect([half(65519), half(65520), half(-1e9)]).toEqual([65504, Infinity, -Infinity])
  expect([half(0.4 * 2 ** -24), half(0.6 * 2 ** -24), half(1.5 * 2 ** -24)]).toEqual([0, 2 ** -24, 2 * 2 ** -24])
})
