import type { Bitmask } from './bitmask'
import type { Box, Size } from './points'

/** A mask as what it has of each row: a blob of many megapixels is some thousand numbers. */
export interface RowRuns {
  box: Box
  /** Where the runs of each of the box's rows begin in `turns`, and the end of the last one's. */
  rows: Uint32Array<ArrayBuffer>
  /** Columns of the photo, two of each run: its first, and the one after its last. */
  turns: Uint32Array<ArrayBuffer>
}

const known = new WeakMap<Bitmask, RowRuns>()

/** Found once: masks do not change. */
export function runsOf(mask: Bitmask): RowRuns {
  let runs = known.get(mask)
  if (!runs) {
    runs = found(mask)
    known.set(mask, runs)
  }
  return runs
}

/** Somebody has found them already. */
export function rememberRuns(mask: Bitmask, runs: RowRuns): void {
  known.set(mask, runs)
}

function found({ box, bits }: Bitmask): RowRuns {
  const [x0, y0, x1, y1] = box
  const width = x1 - x0
  const [rows, turns]: [number[], number[]] = [[0], []]
  for (let y = 0; y < y1 - y0; y++) {
    const row = bits.subarray(y * width, (y + 1) * width)
    for (let x = row.indexOf(1); x >= 0; ) {
      const end = row.indexOf(0, x)
      turns.push(x0 + x, end < 0 ? x1 : x0 + end)
      x = end < 0 ? -1 : row.indexOf(1, end)
    }
    rows.push(turns.length)
  }
  return { box, rows: Uint32Array.from(rows), turns: Uint32Array.from(turns) }
}

/** @param rows of which the first is the photo's row `top`; those at both ends may be empty. */
export function cutToBox(top: number, rows: readonly number[], turns: readonly number[]): RowRuns {
  let [left, right] = [Number.POSITIVE_INFINITY, 0]
  let [first, end] = [0, rows.length - 1]
  while (first < end && rows[first] === rows[first + 1]) first++
  while (end > first && rows[end - 1] === rows[end]) end--
  for (let y = first; y < end; y++) {
    if (rows[y] === rows[y + 1]) continue
    left = Math.min(left, turns[rows[y]!]!)
    right = Math.max(right, turns[rows[y + 1]! - 1]!)
  }
  const box: Box = turns.length ? [left, top + first, right, top + end] : [0, 0, 0, 0]
  return {
    box,
    rows: Uint32Array.from(turns.length ? rows.slice(first, end + 1) : [0]),
    turns: Uint32Array.from(turns),
  }
}

export function maskOf(runs: RowRuns, size: Size): Bitmask {
  const mask = { size, box: runs.box, bits: blocksOf(runs, 0).bits }
  rememberRuns(mask, runs)
  return mask
}

/** Blocks of 2^level x 2^level pixels, 1 where any pixel of them is inside, row by row, and the box of them. */
export function blocksOf(
  { box: [x0, y0, x1, y1], rows, turns }: RowRuns,
  level: number,
): { box: Box; bits: Uint8Array<ArrayBuffer> } {
  if (!turns.length) return { box: [0, 0, 0, 0], bits: new Uint8Array(0) }
  const [left, top] = [x0 >> level, y0 >> level]
  const [right, bottom] = [((x1 - 1) >> level) + 1, ((y1 - 1) >> level) + 1]
  const width = right - left
  const bits = new Uint8Array(width * (bottom - top))
  for (let y = y0; y < y1; y++) {
    const at = ((y >> level) - top) * width - left
    for (let i = rows[y - y0]!; i < rows[y - y0 + 1]!; i += 2) {
      bits.fill(1, at + (turns[i]! >> level), at + ((turns[i + 1]! - 1) >> level) + 1)
    }
  }
  return { box: [left, top, right, bottom], bits }
}

export function pixelsIn({ turns }: RowRuns): number {
  let pixels = 0
  for (let i = 0; i < turns.length; i += 2) pixels += turns[i + 1]! - turns[i]!
  return pixels
}

/**
 * Where a pen that goes down the photo's columns, one after the other, turns from outside to inside and back, counted in pixels
 * from the first. It does so where a row differs from the one above, so this costs the mask's border, not its pixels.
 */
export function turnsDown({ box: [x0, y0, x1, y1], rows, turns }: RowRuns, { height }: Size): Float64Array {
  const begins = new Uint32Array(x1 - x0 + 1)
  differences((_, from, to) => {
    for (let x = from; x < to; x++) begins[x - x0 + 1]!++
  })
  for (let x = 0; x < x1 - x0; x++) begins[x + 1]! += begins[x]!
  const places = new Float64Array(begins[x1 - x0]!)
  const next = begins.slice()
  differences((y, from, to) => {
    for (let x = from; x < to; x++) places[next[x - x0]!++] = x * height + y
  })
  return places

  /** Each piece of a row, up to the one below the last, that is inside where the row above is not, or the other way round. */
  function differences(visit: (y: number, from: number, to: number) => void): void {
    const count = y1 - y0
    for (let row = 0; row <= count; row++) {
      let [above, aboveEnd] = row > 0 ? [rows[row - 1]!, rows[row]!] : [0, 0]
      let [own, ownEnd] = row < count ? [rows[row]!, rows[row + 1]!] : [0, 0]
      let from = -1
      while (above < aboveEnd || own < ownEnd) {
        const a = above < aboveEnd ? turns[above]! : Number.POSITIVE_INFINITY
        const b = own < ownEnd ? turns[own]! : Number.POSITIVE_INFINITY
        if (a <= b) above++
        if (b <= a) own++
        if (a === b) continue
        const x = Math.min(a, b)
        if (from >= 0) visit(y0 + row, from, x)
        from = from < 0 ? x : -1
      }
    }
  }
}
