import type { Box, Size } from './points'
import { pixelsIn, runsOf } from './rowRuns'

/** A mask of a photo, kept only where its box is: 1 inside, row by row. */
export interface Bitmask {
  size: Size
  box: Box
  bits: Uint8Array
}

/** Pixels of a mask. */
export function areaOf(mask: Bitmask): number {
  return pixelsIn(runsOf(mask))
}

/** Whether the pixel that holds a place is inside. */
export function covers({ box: [x0, y0, x1, y1], bits }: Bitmask, x: number, y: number): boolean {
  const column = Math.floor(x)
  const row = Math.floor(y)
  if (column < x0 || row < y0 || column >= x1 || row >= y1) return false
  return bits[(row - y0) * (x1 - x0) + column - x0] === 1
}

/** Cut a whole photo's 0s and 1s down to the box of the 1s. */
export function cropped(bits: Uint8Array, size: Size): Bitmask {
  const { height, width } = size
  let [x0, y0, x1, y1] = [width, height, 0, 0]
  for (let y = 0; y < height; y++) {
    const row = bits.subarray(y * width, (y + 1) * width)
    const first = row.indexOf(1)
    if (first < 0) continue
    x0 = Math.min(x0, first)
    x1 = Math.max(x1, row.lastIndexOf(1) + 1)
    y0 = Math.min(y0, y)
    y1 = y + 1
  }
  if (x1 === 0) return { size, box: [0, 0, 0, 0], bits: new Uint8Array(0) }
  const kept = new Uint8Array((x1 - x0) * (y1 - y0))
  for (let y = y0; y < y1; y++) kept.set(bits.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0))
  return { size, box: [x0, y0, x1, y1], bits: kept }
}

/**
 * The border between inside and outside as straight pieces along pixel edges: x0, y0, x1, y1 of each, in photo pixels.
 * Pieces are as long as they go, so that a border costs its corners, not its pixels.
 *
 * Where a row turns from outside to inside or back, and the row above does not, a piece sideways has its end, and a piece
 * downwards begins; where only the row above turns, one ends.
 */
export function edgesOf(mask: Bitmask): Float32Array {
  const { rows, turns } = runsOf(mask)
  const [x0, y0, x1, y1] = mask.box
  const height = y1 - y0
  const pieces: number[] = []
  const since = new Int32Array(x1 - x0 + 1)
  let above = turns.subarray(0, 0)
  for (let y = 0; y <= height; y++) {
    const own = y < height ? turns.subarray(rows[y], rows[y + 1]) : turns.subarray(0, 0)
    let from = -1
    for (let i = 0, j = 0; i < above.length || j < own.length; ) {
      const [a, b] = [above[i] ?? Number.POSITIVE_INFINITY, own[j] ?? Number.POSITIVE_INFINITY]
      if (a <= b) i++
      if (b <= a) j++
      if (a === b) continue
      const x = Math.min(a, b)
      if (b < a) since[x - x0] = y
      else pieces.push(x, y0 + since[x - x0]!, x, y0 + y)
      if (from >= 0) pieces.push(from, y0 + y, x, y0 + y)
      from = from < 0 ? x : -1
    }
    above = own
  }
  return new Float32Array(pieces)
}

/**
 * The same pieces in the order in which a pen goes: each begins where the one before ends, as long as a border goes on. At
 * every end of a piece exactly one other piece, across to it, has an end, so a pen always comes back to where it began.
 */
export function inTurn(pieces: Float32Array): Float32Array<ArrayBuffer> {
  const count = pieces.length / 4
  const across = new Map<string, number>()
  const along = new Map<string, number>()
  const keyOf = (piece: number, end: 0 | 2) => `${pieces[4 * piece + end]} ${pieces[4 * piece + end + 1]}`
  const isAcross = (piece: number) => pieces[4 * piece + 1] === pieces[4 * piece + 3]
  for (let piece = 0; piece < count; piece++) {
    for (const end of [0, 2] as const) (isAcross(piece) ? across : along).set(keyOf(piece, end), piece)
  }
  const ordered = new Float32Array(pieces.length)
  const isDone = new Uint8Array(count)
  let at = 0
  for (let first = 0; first < count; first++) {
    for (let [piece, end]: [number, 0 | 2] = [first, 0]; !isDone[piece]; at += 4) {
      isDone[piece] = 1
      const far = end ? 0 : 2
      ordered.set(pieces.subarray(4 * piece + end, 4 * piece + end + 2), at)
      ordered.set(pieces.subarray(4 * piece + far, 4 * piece + far + 2), at + 2)
      const key = keyOf(piece, far)
      piece = (isAcross(piece) ? along : across).get(key)!
      end = keyOf(piece, 0) === key ? 0 : 2
    }
  }
  return ordered
}

/**
 * Draw a border whose pieces are in turn. Stroking takes its time for each corner, so those that nobody sees are left out: less
 * than `least` apart, in the photo's pixels, or beyond `seen`.
 */
export function drawBorder(
  pen: Pick<CanvasPath, 'moveTo' | 'lineTo'>,
  pieces: Float32Array,
  least: number,
  [left, top, right, bottom]: Box,
): void {
  let [lastX, lastY, isHere] = [0, 0, false]
  for (let i = 0; i < pieces.length; i += 4) {
    const [fromX, fromY, toX, toY] = [pieces[i]!, pieces[i + 1]!, pieces[i + 2]!, pieces[i + 3]!]
    const isNew = i === 0 || fromX !== pieces[i - 2] || fromY !== pieces[i - 1]
    const isLast = toX !== pieces[i + 4] || toY !== pieces[i + 5]
    if (isNew) {
      isHere = true
      ;[lastX, lastY] = [fromX, fromY]
      pen.moveTo(fromX, fromY)
    }
    if (!isLast && Math.abs(toX - lastX) < least && Math.abs(toY - lastY) < least) continue
    const isBeyond =
      (lastX < left && toX < left) ||
      (lastX > right && toX > right) ||
      (lastY < top && toY < top) ||
      (lastY > bottom && toY > bottom)
    if (!isBeyond) {
      if (!isHere) pen.moveTo(lastX, lastY)
      pen.lineTo(toX, toY)
    }
    isHere = !isBeyond
    ;[lastX, lastY] = [toX, toY]
  }
}
