import type { Bitmask } from './bitmask'
import { photoCells, scaleToModel } from './modelFrame'
import type { Box, Size } from './points'
import { cutToBox, maskOf } from './rowRuns'

/** Stability compares the mask cut this far above and below 0 (SAM, appendix B). */
export const STABILITY_OFFSET = 1

interface Taps {
  low: Int32Array
  high: Int32Array
  share: Float32Array
}

/** Where each photo pixel's centre lies between the centres of the logits' cells, along one axis. */
function taps(length: number, side: number, scale: number): Taps {
  const [low, high, share] = [new Int32Array(length), new Int32Array(length), new Float32Array(length)]
  for (let i = 0; i < length; i++) {
    const at = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), side - 1)
    low[i] = Math.min(Math.floor(at), Math.max(side - 2, 0))
    high[i] = Math.min(low[i]! + 1, side - 1)
    share[i] = at - low[i]!
  }
  return { low, high, share }
}

/**
 * The photo's pixels that are inside: where the logits, read bilinearly at the pixel's centre and clamped at the edges, are
 * above 0. The same rule as `engine/inference/frame.py`.
 *
 * Between two cells that are inside everything is, and between two that are not, nothing: only pieces between one of each are
 * read pixel by pixel, and pixels that no cell above 0 reaches are never looked at.
 *
 * @param logits of the padded square model frame, `side` x `side`, row by row.
 * @param inputSide of the square that the encoder takes.
 */
export function logitsToMask(logits: Float32Array, side: number, size: Size, inputSide: number): Bitmask {
  const { down, across } = scaleToModel(size, inputSide, side)
  const rows = taps(size.height, side, down)
  const columns = taps(size.width, side, across)
  const [left, top, right, bottom] = boxAbove0(logits, side)
  const [x0, x1] = reached(columns, left, right)
  const [y0, y1] = reached(rows, top, bottom)
  const pieces = piecesOf(columns.low, x0, x1)
  const blended = new Float32Array(side)
  const [first, last] = x0 < x1 ? [columns.low[x0]!, columns.high[x1 - 1]!] : [0, -1]
  const [begins, turns]: [number[], number[]] = [[0], []]
  for (let y = y0; y < y1; y++) {
    const share = rows.share[y]!
    const [above, below] = [rows.low[y]! * side, rows.high[y]! * side]
    for (let i = first; i <= last; i++) {
      blended[i] = logits[above + i]! * (1 - share) + logits[below + i]! * share
    }
    let isIn = false
    for (let piece = 0; piece < pieces.length - 1; piece++) {
      const from = pieces[piece]!
      const cell = columns.low[from]!
      const [low, high] = [blended[cell]!, blended[columns.high[from]!]!]
      const isLow = low > 0
      if (isLow === high > 0) {
        if (isIn !== isLow) {
          turns.push(from)
          isIn = isLow
        }
        continue
      }
      const to = pieces[piece + 1]!
      for (let x = from; x < to; x++) {
        const part = columns.share[x]!
        if (low * (1 - part) + high * part > 0 !== isIn) {
          turns.push(x)
          isIn = !isIn
        }
      }
    }
    if (isIn) turns.push(x1)
    begins.push(turns.length)
  }
  return maskOf(cutToBox(y0, begins, turns), size)
}

/** Of the cells above 0. */
function boxAbove0(logits: Float32Array, side: number): Box {
  let [left, top, right, bottom] = [side, side, 0, 0]
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (!(logits[y * side + x]! > 0)) continue
      left = Math.min(left, x)
      right = Math.max(right, x + 1)
      top = Math.min(top, y)
      bottom = y + 1
    }
  }
  return [left, top, right, bottom]
}

/** The pixels that read a cell from `from` up to, not with, `to`. */
function reached({ low, high }: Taps, from: number, to: number): [number, number] {
  let [first, end] = [0, low.length]
  while (first < end && high[first]! < from) first++
  while (end > first && low[end - 1]! >= to) end--
  return [first, end]
}

/** Where pixels begin to read the next two cells, and the end of the last ones. */
function piecesOf(low: Int32Array, from: number, to: number): number[] {
  const pieces: number[] = []
  for (let x = from; x < to; x++) if (x === from || low[x] !== low[x - 1]) pieces.push(x)
  return [...pieces, to]
}

/** Share of the mask at logit -1 that is still in it at logit +1, over the part that is photo; 0 if it is empty. */
export function stabilityOf(logits: Float32Array, side: number, size: Size, inputSide: number): number {
  const [rows, columns] = photoCells(size, inputSide, side)
  let [tight, loose] = [0, 0]
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const value = logits[y * side + x]!
      if (value > STABILITY_OFFSET) tight++
      if (value > -STABILITY_OFFSET) loose++
    }
  }
  return loose ? tight / loose : 0
}

/** What stands for certainly inside in logits that are made from a mask; SAM 2 prompts with masks so. */
const CERTAIN = 10

/**
 * A mask as the prompt encoder takes it: logits of the padded model frame, `side` x `side`. Each cell has the share of its
 * pixels that are inside, from -10 for none to 10 for all, so that borders are soft as the model's own are.
 */
export function maskToLogits(
  { size, box: [x0, y0, x1, y1], bits }: Bitmask,
  side: number,
  inputSide: number,
): Float32Array {
  const { down, across } = scaleToModel(size, inputSide, side)
  const inside = new Float32Array(side * side)
  const [columns, rows] = [shares(x0, x1, across), shares(y0, y1, down)]
  const width = x1 - x0
  const line = new Float32Array(side)
  for (let y = 0; y < y1 - y0; y++) {
    line.fill(0)
    for (let x = 0; x < width; x++) {
      if (!bits[y * width + x]) continue
      for (const [cell, share] of columns[x]!) line[cell] = line[cell]! + share
    }
    for (const [cell, share] of rows[y]!) {
      for (let x = columns[0]![0]![0]; x <= columns.at(-1)!.at(-1)![0]; x++) {
        inside[cell * side + x] = inside[cell * side + x]! + share * line[x]!
      }
    }
  }
  return inside.map(share => CERTAIN * (2 * Math.min(share, 1) - 1))
}

/** Of each pixel from x0 to x1: the cells that it lies in, and how much of each it covers. */
function shares(x0: number, x1: number, perPixel: number): [number, number][][] {
  return Array.from({ length: x1 - x0 }, (_, index) => {
    const [from, to] = [(x0 + index) * perPixel, (x0 + index + 1) * perPixel]
    const cells: [number, number][] = []
    for (let cell = Math.floor(from); cell < to; cell++) {
      const share = Math.min(to, cell + 1) - Math.max(from, cell)
      if (share > 1e-9) cells.push([cell, share])
    }
    return cells
  })
}
