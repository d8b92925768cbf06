import type { Box, Size } from './points'

/** A mask of a photo, kept only where its box is: 1 inside, row by row. */
export interface Bitmask {
  size: Size
  box: Box
  bits: Uint8Array
}

export function areaOf({ bits }: Bitmask): number {
  let area = 0
  for (const bit of bits) area += bit
  return area
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
 */
export function edgesOf({ box: [x0, y0, x1, y1], bits }: Bitmask): Float32Array {
  const [width, height] = [x1 - x0, y1 - y0]
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : bits[y * width + x]!
  const pieces: number[] = []
  for (let y = 0; y <= height; y++) {
    let from = -1
    for (let x = 0; x <= width; x++) {
      const isEdge = x < width && at(x, y) !== at(x, y - 1)
      if (isEdge && from < 0) from = x
      if (!isEdge && from >= 0) {
        pieces.push(x0 + from, y0 + y, x0 + x, y0 + y)
        from = -1
      }
    }
  }
  for (let x = 0; x <= width; x++) {
    let from = -1
    for (let y = 0; y <= height; y++) {
      const isEdge = y < height && at(x, y) !== at(x - 1, y)
      if (isEdge && from < 0) from = y
      if (!isEdge && from >= 0) {
        pieces.push(x0 + x, y0 + from, x0 + x, y0 + y)
        from = -1
      }
    }
  }
  return new Float32Array(pieces)
}
