import { expect, test } from 'vitest'
import { areaOf, type Bitmask, covers } from '@/shared/geometry/bitmask'
import { areWithin, intoCrop, maskFromCrop, maskIntoCrop } from '@/shared/geometry/crops'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Box } from '@/shared/geometry/points'

const region: Box = [10, 20, 50, 60]
const size = { height: 100, width: 80 }

test('prompts are answered in a part of the photo only where all of them lie in it', () => {
  const inside: Prompt = { kind: 'point', at: { x: 10, y: 60 }, label: 1 }
  expect(areWithin([inside, { kind: 'box', box: [10, 20, 50, 60] }], region)).toBe(true)
  expect(areWithin([inside, { kind: 'point', at: { x: 9.5, y: 30 }, label: 0 }], region)).toBe(false)
  expect(areWithin([{ kind: 'box', box: [10, 20, 50.5, 60] }], region)).toBe(false)
})

test("a pixel's middle is a pixel's middle in the frame of the part, too", () => {
  expect(intoCrop({ kind: 'point', at: { x: 10.5, y: 20.5 }, label: 1 }, region)).toEqual({
    kind: 'point',
    at: { x: 0.5, y: 0.5 },
    label: 1,
  })
  expect(intoCrop({ kind: 'box', box: [10, 20, 50, 60] }, region)).toEqual({ kind: 'box', box: [0, 0, 40, 40] })
})

test('a mask of the part comes back in the frame of the photo, pixel for pixel, and is background outside', () => {
  const bits = Uint8Array.from({ length: 30 * 30 }, (_, i) => ((i * 7919) % 5 < 2 ? 1 : 0))
  const mask: Bitmask = { size, box: [5, 40, 35, 70], bits }
  const part = maskIntoCrop(mask, region)
  expect(part.size).toEqual({ height: 40, width: 40 })
  const back = maskFromCrop(part, region, size)
  expect(back.size).toEqual(size)
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const isInPart = x >= 10 && x < 50 && y >= 20 && y < 60
      expect(covers(back, x, y)).toBe(isInPart && covers(mask, x, y))
    }
  }
  const none = maskFromCrop(maskIntoCrop({ size, box: [60, 0, 61, 1], bits: new Uint8Array([1]) }, region), region, size)
  expect(areaOf(none)).toBe(0)
})
