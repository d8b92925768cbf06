import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { areaOf, type Bitmask, covers, cropped, edgesOf } from '@/shared/geometry/bitmask'
import { logitsToMask, stabilityOf } from '@/shared/geometry/logits'
import { type Prompt, toModelFrame } from '@/shared/geometry/modelFrame'
import { decode, encode } from '@/shared/geometry/runLengths'

/** The vectors that the engine's tests hold, too. */
function vectors<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`../../data/${name}.json`, import.meta.url), 'utf8')) as T[]
}

interface RleCase {
  size: [number, number]
  rows: string[]
  counts: string
  area: number
  box: [number, number, number, number]
}

function bitmaskOf({ size: [height, width], rows }: RleCase): Bitmask {
  return cropped(Uint8Array.from(rows.join(''), Number), { height, width })
}

function rowsOf(mask: Bitmask): string[] {
  const { height, width } = mask.size
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => (covers(mask, x + 0.5, y + 0.5) ? '1' : '0')).join(''),
  )
}

describe('run lengths', () => {
  test.each([...vectors<RleCase>('rle'), ...vectors<RleCase>('nasty')])('are those of the engine for a mask of $size, $area px', vector => {
    const mask = bitmaskOf(vector)
    expect(encode(mask)).toBe(vector.counts)
    expect(areaOf(mask)).toBe(vector.area)
    if (vector.area) expect(mask.box).toEqual(vector.box)
    const back = decode(vector.counts, mask.size)
    expect(rowsOf(back)).toEqual(vector.rows)
    expect(areaOf(back)).toBe(vector.area)
  })

  test('of any mask come back as that mask', () => {
    let seed = 1
    const random = (below: number) => Math.floor(((seed = (48271 * seed) % 2147483647) / 2147483647) * below)
    for (let i = 0; i < 200; i++) {
      const [height, width, thickness] = [1 + random(9), 1 + random(9), 1 + random(4)]
      const bits = Uint8Array.from({ length: height * width }, () => (random(4) < thickness ? 1 : 0))
      const mask = cropped(bits, { height, width })
      expect(rowsOf(decode(encode(mask), mask.size))).toEqual(rowsOf(mask))
    }
  })

  test('of another size than the photo are refused', () => {
    expect(() => decode('9', { height: 2, width: 2 })).toThrow(RangeError)
  })
})

interface FrameCase {
  size: [number, number]
  input_side: number
  prompts: ({ kind: 'point'; at: [number, number]; label: 0 | 1 } | { kind: 'box'; box: [number, number, number, number] })[]
  coords: [number, number][]
  labels: number[]
}

test.each(vectors<FrameCase>('model_frame'))('prompts go into the model as the engine puts them, $size', vector => {
  const [height, width] = vector.size
  const prompts = vector.prompts.map(
    (prompt): Prompt =>
      prompt.kind === 'box'
        ? prompt
        : { kind: 'point', at: { x: prompt.at[0], y: prompt.at[1] }, label: prompt.label },
  )
  const { coords, labels } = toModelFrame(prompts, { height, width }, vector.input_side)
  expect([...labels]).toEqual(vector.labels)
  vector.coords.flat().forEach((wanted, index) => {
    expect(coords[index]).toBeCloseTo(wanted, 3)
  })
})

interface LogitsCase {
  side: number
  size: [number, number]
  input_side: number
  logits: number[]
  counts: string
}

test.each(vectors<LogitsCase>('logits_to_mask'))('logits become the pixels that the engine makes of them, $size', vector => {
  const [height, width] = vector.size
  const mask = logitsToMask(new Float32Array(vector.logits), vector.side, { height, width }, vector.input_side)
  expect(encode(mask)).toBe(vector.counts)
})

test('stability is the share of the loose mask that is in the tight one, padding left out', () => {
  const logits = new Float32Array([2, 0.5, 9, 9, 2, -2, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9])
  expect(stabilityOf(logits, 4, { height: 20, width: 40 }, 16)).toBeCloseTo(6 / 7)
  expect(stabilityOf(new Float32Array(16).fill(-5), 4, { height: 4, width: 4 }, 16)).toBe(0)
})

test('the border of a mask is closed, along pixel edges, and as few pieces as there are sides', () => {
  const square = cropped(Uint8Array.from('000001100110000000', Number), { height: 3, width: 6 })
  const edges = edgesOf(square)
  let length = 0
  for (let i = 0; i < edges.length; i += 4) {
    length += Math.abs(edges[i + 2]! - edges[i]!) + Math.abs(edges[i + 3]! - edges[i + 1]!)
  }
  const inside = (x: number, y: number) => (covers(square, x + 0.5, y + 0.5) ? 1 : 0)
  let wanted = 0
  for (let y = 0; y <= 3; y++) for (let x = 0; x <= 6; x++) wanted += +(inside(x, y) !== inside(x, y - 1)) + +(inside(x, y) !== inside(x - 1, y))
  expect(length).toBe(wanted)
  const plain = edgesOf(cropped(Uint8Array.from('0000011001100000', Number), { height: 4, width: 4 }))
  expect(plain.length / 4).toBe(4)
})
