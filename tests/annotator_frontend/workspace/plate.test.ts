import { expect, test } from 'vitest'
import { drawMask, onPlate, type Plate, Shapes, wipe } from '@/features/workspace/canvas/painter/plate'
import type { Box } from '@/shared/geometry/points'
import { runsOf } from '@/shared/geometry/rowRuns'

const WHITE = [255, 255, 255] as const
const style = { colour: [200, 0, 0], fill: 0.4, line: 1 } as const

const plateOf = (width: number, height: number, scale: number, left = 0, top = 0): Plate => ({
  width,
  height,
  scale,
  left,
  top,
  data: new Uint8ClampedArray(4 * width * height),
})
const all = ({ width, height }: Plate): Box => [0, 0, width, height]
const shape = (box: Box, bits?: number[]) =>
  new Shapes(
    runsOf({
      size: { width: box[2], height: box[3] },
      box,
      bits: bits ? Uint8Array.from(bits) : new Uint8Array((box[2] - box[0]) * (box[3] - box[1])).fill(1),
    }),
  )
const pixel = ({ data, width }: Plate, x: number, y: number) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)]

test('a mask has a tint inside, its colour along the border, dark outside and light inside the line', () => {
  const plate = plateOf(40, 40, 1)
  drawMask(plate, shape([10, 10, 30, 30]), style, all(plate))
  expect(pixel(plate, 20, 20)).toEqual([200, 0, 0, 102])
  expect(pixel(plate, 10, 20)).toEqual([200, 0, 0, 255])
  expect(pixel(plate, 9, 20)).toEqual([8, 12, 18, 204])
  expect(pixel(plate, 11, 20)[1]).toBeGreaterThan(80)
  expect(pixel(plate, 8, 20)).toEqual([0, 0, 0, 0])
})

test('at 10 screen pixels a pixel, the border is where the pixel is', () => {
  const plate = plateOf(60, 60, 10, -5, -5)
  drawMask(plate, shape([2, 2, 3, 3]), style, all(plate))
  expect(pixel(plate, 25, 30)).toEqual([200, 0, 0, 255])
  expect(pixel(plate, 24, 30)).toEqual([8, 12, 18, 204])
  expect(pixel(plate, 34, 30)).toEqual([200, 0, 0, 255])
  expect(pixel(plate, 35, 30)).toEqual([8, 12, 18, 204])
})

test.each([0.5, 0.33, 0.1, 0.07, 0.013])('a line one pixel wide is seen at zoom %f', scale => {
  const plate = plateOf(100, 100, scale)
  const length = Math.floor(90 / scale)
  const at = Math.floor(31 / scale)
  drawMask(plate, shape([at, 0, at + 1, length]), style, all(plate))
  const row = Array.from({ length: 100 }, (_, x) => pixel(plate, x, 40))
  expect(row.some(([red]) => red === 200)).toBe(true)
})

test('drawn anew within a rectangle, the picture is what drawing all of it gives', () => {
  const shapes = [shape([3, 3, 40, 30]), shape([20, 10, 50, 50]), shape([30, 25, 33, 45])]
  for (const scale of [0.4, 1, 1.7]) {
    const [whole, partly] = [plateOf(80, 80, scale, 3.2, -1.5), plateOf(80, 80, scale, 3.2, -1.5)]
    for (const one of shapes) drawMask(whole, one, style, all(whole))
    const other = { ...style, colour: WHITE }
    for (const one of shapes) drawMask(partly, one, other, all(partly))
    for (let x = 0; x < 80; x += 16) {
      for (let y = 0; y < 80; y += 20) {
        const clip: Box = [x, y, x + 16, y + 20]
        wipe(partly, clip)
        for (const one of shapes) drawMask(partly, one, style, clip)
      }
    }
    expect(partly.data).toEqual(whole.data)
  }
})

test('a box on the plate has room for the halo, and ends with the plate', () => {
  expect(onPlate(plateOf(50, 50, 1), [10, 10, 20, 60])).toEqual([7, 7, 23, 50])
})

test('however many masks lie on each other, the photo is seen through them', () => {
  const plate = plateOf(40, 40, 1)
  for (let i = 0; i < 9; i++) drawMask(plate, shape([5, 5, 35, 35]), { ...style, colour: [20 * i, 90, 7] }, all(plate))
  expect(pixel(plate, 20, 20)[3]).toBe(102)
})
