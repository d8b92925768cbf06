import { expect, test } from 'vitest'
import { type Bitmask, covers, cropped, drawBorder, edgesOf, inTurn } from '@/shared/geometry/bitmask'
import { logitsToMask } from '@/shared/geometry/logits'
import type { Box, Size } from '@/shared/geometry/points'
import { blocksOf, cutToBox, maskOf, pixelsIn, runsOf } from '@/shared/geometry/rowRuns'
import { decode, encode } from '@/shared/geometry/runLengths'
import { noise, numbers } from './plain'

/** `logitsToMask`, each pixel read on its own: of the part of the frame that the encoder's rounded photo takes up. */
function plainMask(logits: Float32Array, side: number, { height, width }: Size, inputSide: number): Bitmask {
  const tap = (i: number, length: number) => {
    const rounded = Math.max(1, Math.floor((length * inputSide) / Math.max(height, width) + 0.5))
    const scale = ((rounded / length) * side) / inputSide
    const at = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), side - 1)
    const low = Math.min(Math.floor(at), Math.max(side - 2, 0))
    return { low, high: Math.min(low + 1, side - 1), share: Math.fround(at - low) }
  }
  const bits = new Uint8Array(height * width)
  for (let y = 0; y < height; y++) {
    const row = tap(y, height)
    const blended = (x: number) =>
      Math.fround(logits[row.low * side + x]! * (1 - row.share) + logits[row.high * side + x]! * row.share)
    for (let x = 0; x < width; x++) {
      const { low, high, share } = tap(x, width)
      if (blended(low) * (1 - share) + blended(high) * share > 0) bits[y * width + x] = 1
    }
  }
  return cropped(bits, { height, width })
}

/** A blob with grain, and some cells of its own anywhere. */
function blob(random: () => number, side: number, specks: number): Float32Array {
  const [x0, y0, radius, grain] = [random() * side, random() * side, random() * side * 0.4, random() * 6]
  const logits = Float32Array.from({ length: side * side }, (_, at) => {
    const far = Math.hypot((at % side) - x0, Math.floor(at / side) - y0)
    return (radius - far) / 2 + (random() - 0.5) * grain
  })
  for (let i = 0; i < specks; i++) logits[Math.floor(random() * side * side)] = random() * 3
  return logits
}

test('logits become the same mask as if each pixel were read on its own', () => {
  const random = numbers(11)
  for (let trial = 0; trial < 120; trial++) {
    const side = [1, 2, 16, 64][trial % 4]!
    const size = { height: 1 + Math.floor(random() * 180), width: 1 + Math.floor(random() * 220) }
    const logits = blob(random, side, trial % 5)
    const inputSide = side * [1, 2, 4][trial % 3]!
    expect(logitsToMask(logits, side, size, inputSide)).toEqual(plainMask(logits, side, size, inputSide))
  }
})

test('logits that are nowhere above 0 are an empty mask', () => {
  const none = logitsToMask(new Float32Array(64).fill(-1), 8, { height: 30, width: 40 }, 32)
  expect(none).toEqual({ size: { height: 30, width: 40 }, box: [0, 0, 0, 0], bits: new Uint8Array(0) })
})

test('the border has a piece wherever two pixels differ, and pieces are as long as they go', () => {
  const random = numbers(5)
  for (let trial = 0; trial < 60; trial++) {
    const own = noise(random, 1 + (trial % 9), 1 + (trial % 13), [0.1, 0.5, 0.9][trial % 3]!)
    const [x0, y0, x1, y1] = own.box
    const at = (x: number, y: number) =>
      x < x0 || y < y0 || x >= x1 || y >= y1 ? 0 : own.bits[(y - y0) * (x1 - x0) + x - x0]!
    const wanted: string[] = []
    for (let y = y0; y <= y1; y++) {
      for (let x = x0, from = -1; x <= x1; x++) {
        const isEdge = at(x, y) !== at(x, y - 1)
        if (isEdge && from < 0) from = x
        if (!isEdge && from >= 0) {
          wanted.push(`${from},${y},${x},${y}`)
          from = -1
        }
      }
    }
    for (let x = x0; x <= x1; x++) {
      for (let y = y0, from = -1; y <= y1; y++) {
        const isEdge = at(x, y) !== at(x - 1, y)
        if (isEdge && from < 0) from = y
        if (!isEdge && from >= 0) {
          wanted.push(`${x},${from},${x},${y}`)
          from = -1
        }
      }
    }
    const edges = edgesOf(own)
    const pieces = Array.from({ length: edges.length / 4 }, (_, i) => edges.subarray(4 * i, 4 * i + 4).join())
    expect(pieces.sort()).toEqual(wanted.sort())
  }
})

test('a pen goes along every piece of a border once, lifts only between two closed lines, and may leave out what nobody sees', () => {
  const random = numbers(5)
  for (let round = 0; round < 200; round++) {
    const size = { height: 1 + Math.floor(random() * 9), width: 1 + Math.floor(random() * 9) }
    const own = cropped(Uint8Array.from({ length: size.height * size.width }, () => +(random() < 0.6)), size)
    const pieces = (edges: Float32Array) =>
      Array.from({ length: edges.length / 4 }, (_, i) => [...edges.subarray(4 * i, 4 * i + 4)])
    const sorted = (all: number[][]) =>
      all.map(([a, b, c, d]) => [`${a},${b}`, `${c},${d}`].sort().join(' ')).sort()
    const turned = inTurn(edgesOf(own))
    expect(sorted(pieces(turned))).toEqual(sorted(pieces(edgesOf(own))))

    const draw = (least: number, seen: Box) => {
      const lines: number[][][] = []
      const pen = {
        moveTo: (x: number, y: number) => lines.push([[x, y]]),
        lineTo: (x: number, y: number) => lines.at(-1)!.push([x, y]),
      }
      drawBorder(pen, turned, least, seen)
      return lines
    }
    const everywhere: Box = [-1, -1, 99, 99]
    const lines = draw(0, everywhere)
    for (const line of lines) expect(line.at(-1)).toEqual(line[0])
    const drawn = lines.flatMap(line => line.slice(1).map((to, i) => [...line[i]!, ...to]))
    expect(sorted(drawn)).toEqual(sorted(pieces(turned)))

    for (const line of draw(3, everywhere)) {
      expect(line.at(-1)).toEqual(line[0])
      line.slice(1, -1).forEach(([x, y], i) => {
        const [fromX, fromY] = line[i] as [number, number]
        expect(Math.max(Math.abs(x! - fromX), Math.abs(y! - fromY))).toBeGreaterThanOrEqual(3)
      })
    }

    // Whatever touches the part that is seen is drawn.
    const [x0, y0, x1, y1] = [2, 2, 5, 5] as const
    const touches = ([a, b, c, d]: number[]) =>
      Math.max(a!, c!) >= x0 && Math.min(a!, c!) <= x1 && Math.max(b!, d!) >= y0 && Math.min(b!, d!) <= y1
    const part = draw(0, [x0, y0, x1, y1]).flatMap(line => line.slice(1).map((to, i) => [...line[i]!, ...to]))
    expect(sorted(part.filter(touches))).toEqual(sorted(pieces(turned).filter(touches)))
    expect(part.length).toBe(part.filter(touches).length)
  }
})

/** Bits down the columns, and COCO's text of how long they stay the same. */
function plainText({ size: { height, width }, box: [x0, y0, x1, y1], bits }: Bitmask): string {
  const runs = [0]
  for (let pixel = 0; pixel < height * width; pixel++) {
    const [x, y] = [Math.floor(pixel / height), pixel % height]
    const isIn = x >= x0 && x < x1 && y >= y0 && y < y1 && bits[(y - y0) * (x1 - x0) + x - x0] === 1
    if (isIn !== (runs.length % 2 === 0)) runs.push(0)
    runs[runs.length - 1]!++
  }
  return runs
    .map((run, index) => {
      let [rest, text] = [index > 2 ? run - runs[index - 2]! : run, '']
      for (;;) {
        const [group, after] = [rest & 31, rest >> 5]
        const isLast = after === (group & 16 ? -1 : 0)
        text += String.fromCharCode(48 + group + (isLast ? 0 : 32))
        if (isLast) return text
        rest = after
      }
    })
    .join('')
}

test('runs along rows are the mask: its pixels, its blocks at every size, its text', () => {
  const random = numbers(8)
  for (let round = 0; round < 300; round++) {
    const size = { height: 1 + Math.floor(random() * 20), width: 1 + Math.floor(random() * 20) }
    const share = [0, 0.1, 0.5, 0.9, 1][round % 5]!
    const own = cropped(Uint8Array.from({ length: size.height * size.width }, () => +(random() < share)), size)
    const runs = runsOf(own)
    expect(maskOf(runs, size)).toEqual(own)
    expect(pixelsIn(runs)).toBe(own.bits.reduce((sum, bit) => sum + bit, 0))
    expect(cutToBox(own.box[1] - 1, [0, ...runs.rows, runs.turns.length], [...runs.turns])).toEqual(runs)
    expect(encode(own)).toBe(plainText(own))
    expect(decode(encode(own), size)).toEqual(own)
    for (let level = 0; level < 4; level++) {
      const { box, bits } = blocksOf(runs, level)
      for (let y = box[1]; y < box[3]; y++) {
        for (let x = box[0]; x < box[2]; x++) {
          let isAny = false
          for (let i = 0; i < 4 ** level; i++) {
            isAny ||= covers(own, (x << level) + (i % 2 ** level), (y << level) + (i >> level))
          }
          expect(bits[(y - box[1]) * (box[2] - box[0]) + x - box[0]]).toBe(+isAny)
        }
      }
    }
  }
})
