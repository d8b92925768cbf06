import { expect, test, vi } from 'vitest'
import { pixelsOf } from '@/features/workspace/canvas/useColours'
import {
  assignColours,
  contrasts,
  distance,
  IN_WORK,
  labOf,
  PALETTE,
  VISIONS,
  type Vision,
} from '@/features/workspace/editor/colours'
import type { Bitmask } from '@/shared/geometry/bitmask'

const size = { height: 100, width: 100 }
const square = (x0: number, y0: number, side: number): Bitmask => ({
  size,
  box: [x0, y0, x0 + side, y0 + side],
  bits: new Uint8Array(side * side).fill(1),
})
const flat = (red: number, green: number, blue: number) => ({
  ...size,
  data: Uint8ClampedArray.from({ length: 40_000 }, (_, i) => [red, green, blue, 255][i % 4]!),
})

test.each(Object.keys(VISIONS) as Vision[])('%s: any two colours of the palette are plainly apart', vision => {
  const all = [...PALETTE, IN_WORK]
  for (const a of all) {
    for (const b of all) {
      if (a === b) continue
      const [one, other] = [labOf(a, vision), labOf(b, vision)]
      expect(Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2])).toBeGreaterThan(15)
    }
  }
})

test('Lab values are those of the CIE', () => {
  expect(labOf([255, 255, 255]).map(part => Math.abs(Math.round(part)))).toEqual([100, 0, 0])
  const [lightness, a, b] = labOf([255, 0, 0])
  expect([lightness.toFixed(1), a.toFixed(1), b.toFixed(1)]).toEqual(['53.2', '80.1', '67.2'])
})

test.each([
  ['grass', 60, 130, 50],
  ['sky', 120, 170, 220],
  ['skin', 205, 160, 130],
  ['snow', 245, 245, 245],
  ['night', 10, 10, 14],
  ['sand', 230, 190, 110],
])('on %s the colour stands out, to people of every vision', (_, red, green, blue) => {
  const photo = flat(red, green, blue)
  const colour = assignColours([{ id: 'a', mask: square(10, 10, 30) }], photo).get('a')!
  expect(distance(colour, [red, green, blue])).toBeGreaterThan(25)
  expect(Math.max(...contrasts(square(10, 10, 30), photo))).toBeCloseTo(distance(colour, [red, green, blue]))
})

test('neighbours get different colours, and a mask keeps its own', () => {
  const masks = [0, 1, 2, 3, 4, 5].map(i => ({ id: String(i), mask: square(10 * i, 10 * (i % 2), 12) }))
  const colours = assignColours(masks, flat(120, 120, 120))
  for (let i = 1; i < masks.length; i++) expect(colours.get(String(i))).not.toBe(colours.get(String(i - 1)))
  const fewer = assignColours(masks.slice(3), flat(0, 0, 0), colours)
  for (const { id } of masks.slice(3)) expect(fewer.get(id)).toBe(colours.get(id))
})

test('all photos are read through one canvas, and none sees what was drawn before it', () => {
  const done: string[] = []
  const context = {
    clearRect: () => done.push('wiped'),
    drawImage: () => done.push('drawn'),
    getImageData: (_x: number, _y: number, width: number, height: number) => ({ width, height }),
  }
  let made = 0
  const createElement = () => {
    made++
    return { width: 300, height: 150, getContext: () => context }
  }
  vi.stubGlobal('document', { createElement })
  for (const [width, height] of [[4, 3], [3, 4], [3, 4]]) {
    expect(pixelsOf({ width, height } as ImageBitmap)).toEqual({ width, height })
  }
  expect(made).toBe(1)
  expect(done).toEqual(['wiped', 'drawn', 'wiped', 'drawn', 'wiped', 'drawn'])
  vi.unstubAllGlobals()
})
