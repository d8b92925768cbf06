import type { ImagePoint } from './points'

export type Span = (y: number, x0: number, x1: number) => void

/**
 * A round brush's half widths by row. Pixels whose middle is within diameter / 2 of the brush's middle are in it. An odd
 * brush's middle is a pixel's middle, an even one's a pixel's corner, so that each has exactly its diameter.
 */
export function stampOf(diameter: number): { top: number; lefts: number[]; rights: number[] } {
  const half = diameter >> 1
  const isEven = diameter % 2 === 0
  const top = -half
  const [lefts, rights]: [number[], number[]] = [[], []]
  for (let row = 0; row < diameter; row++) {
    const doubled = 2 * (row - half) + (isEven ? 1 : 0) // of the distance between the middles, so that it is whole
    let reach = half
    while (doubled ** 2 + (2 * reach - (isEven ? 1 : 0)) ** 2 > diameter ** 2) reach--
    lefts.push(-reach)
    rights.push(isEven ? reach : reach + 1)
  }
  return { top, lefts, rights }
}

/** The pixel, or with an even brush the corner, that a brush's middle is put on. */
export function anchorOf({ x, y }: ImagePoint, diameter: number): [number, number] {
  return diameter % 2 ? [Math.floor(x), Math.floor(y)] : [Math.round(x), Math.round(y)]
}

/**
 * The pixels of a brush drawn straight from one place to another: the brush put on each pixel of the line between them. Along
 * a line what a row gets is one piece, because the brush is round and each step moves it by one pixel at most.
 */
export function strokeSpans(from: ImagePoint, to: ImagePoint, diameter: number, span: Span): void {
  const { top, lefts, rights } = stampOf(diameter)
  const [ax, ay] = anchorOf(from, diameter)
  const [bx, by] = anchorOf(to, diameter)
  const firstRow = Math.min(ay, by) + top
  const count = Math.abs(by - ay) + diameter
  const starts = new Int32Array(count).fill(2 ** 30)
  const ends = new Int32Array(count).fill(-(2 ** 30))
  for (const [x, y] of lineOf(ax, ay, bx, by)) {
    const shift = y + top - firstRow
    for (let row = 0; row < diameter; row++) {
      const [start, end] = [x + lefts[row]!, x + rights[row]!]
      if (start < starts[row + shift]!) starts[row + shift] = start
      if (end > ends[row + shift]!) ends[row + shift] = end
    }
  }
  for (let row = 0; row < count; row++) span(firstRow + row, starts[row]!, ends[row]!)
}

/** Pixels of a line, ends included; each is a neighbour of the one before (Bresenham 1965). */
export function* lineOf(x: number, y: number, toX: number, toY: number): Generator<[number, number]> {
  const [dx, dy] = [Math.abs(toX - x), -Math.abs(toY - y)]
  const [stepX, stepY] = [Math.sign(toX - x), Math.sign(toY - y)]
  for (let error = dx + dy; ; ) {
    yield [x, y]
    if (x === toX && y === toY) return
    const doubled = 2 * error
    if (doubled >= dy) {
      error += dy
      x += stepX
    }
    if (doubled <= dx) {
      error += dx
      y += stepY
    }
  }
}

/**
 * The pixels whose middle is inside a polygon, by the even-odd rule. Its corners are moved to the nearest corners of pixels:
 * then every comparison is between whole numbers, and no corner lies on a line through pixels' middles.
 */
export function polygonSpans(corners: readonly ImagePoint[], height: number, span: Span): void {
  const at = corners.map(({ x, y }) => [Math.round(x), Math.round(y)] as const)
  const firstRow = Math.max(0, Math.min(...at.map(corner => corner[1])))
  const lastRow = Math.min(height, Math.max(...at.map(corner => corner[1])))
  for (let y = firstRow; y < lastRow; y++) {
    const crossings: number[] = []
    at.forEach((a, index) => {
      const b = at[(index + 1) % at.length]!
      const [[x0, y0], [x1, y1]] = a[1] < b[1] ? [a, b] : [b, a]
      if (y0 <= y && y < y1) crossings.push(firstRightOf(x0, y0, x1, y1, y))
    })
    crossings.sort((a, b) => a - b)
    for (let i = 0; i < crossings.length; i += 2) {
      if (crossings[i]! < crossings[i + 1]!) span(y, crossings[i]!, crossings[i + 1]!)
    }
  }
}

/** The first pixel of a row whose middle is not left of an edge; whole numbers decide, not what a division leaves. */
function firstRightOf(x0: number, y0: number, x1: number, y1: number, y: number): number {
  const dy = y1 - y0
  // (2 x + 1) dy >= 2 x0 dy + (2 (y - y0) + 1) (x1 - x0)
  const edge = 2 * x0 * dy + (2 * (y - y0) + 1) * (x1 - x0)
  let x = Math.ceil((edge / dy - 1) / 2)
  while ((2 * x - 1) * dy >= edge) x--
  while ((2 * x + 1) * dy < edge) x++
  return x
}
