import { expect, test } from 'vitest'
import { floatsOf, halvesOf } from '@/features/workspace/decoder/float16'
import { Rooms } from '@/features/workspace/decoder/rooms'

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

test('the embedding of a photo that is forgotten makes room for the next, and what it came as is let go of', () => {
  const rooms = new Rooms()
  const embedding = (...values: number[]) => halvesOf(Float32Array.from(values)).buffer
  const half = embedding(1, 2)
  const [first, other, small] = [rooms.filledWith(half), rooms.filledWith(embedding(3, 4)), rooms.filledWith(embedding(5))]
  if ('transfer' in half) expect(half.byteLength).toBe(0)
  expect([[...first], [...other], [...small]]).toEqual([[1, 2], [3, 4], [5]])
  rooms.giveBack(first)
  expect(rooms.filledWith(embedding(6))).not.toBe(first) // of another length
  const second = rooms.filledWith(embedding(7, 8))
  expect(second).toBe(first)
  expect([...second]).toEqual([7, 8])
  expect(rooms.filledWith(embedding(9, 10))).not.toBe(first) // it is in use
  expect([...second]).toEqual([7, 8])
})
