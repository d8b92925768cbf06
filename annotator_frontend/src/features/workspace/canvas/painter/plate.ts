import type { Box } from '@/shared/geometry/points'
import { blocksOf, type RowRuns } from '@/shared/geometry/rowRuns'

/** How a mask is drawn. */
export interface MaskStyle {
  colour: readonly [number, number, number]
  /** Opacity of the inside, 0 to 1. */
  fill: number
  /** Screen pixels. */
  line: number
  isDashed?: boolean
}

/**
 * A mask at every size that it may be drawn in. A block of pixels is inside where any of its pixels is, so that a line one
 * pixel wide is seen at every zoom. Levels are made when they are first drawn.
 */
export class Shapes {
  private readonly levels: (ReturnType<typeof blocksOf> | undefined)[] = []

  constructor(private readonly runs: RowRuns) {}

  get box(): Box {
    return this.runs.box
  }

  at(level: number): ReturnType<typeof blocksOf> {
    this.levels[level] ??= blocksOf(this.runs, level)
    return this.levels[level]
  }
}

/** A picture of masks at one zoom: pixel (i, j) shows the photo's place ((i + 0.5 + left) / scale, (j + 0.5 + top) / scale). */
export interface Plate {
  width: number
  height: number
  scale: number
  left: number
  top: number
  /** RGBA, not premultiplied. */
  data: Uint8ClampedArray
}

const INSIDE = 1
const HALO = 0x80
/** Lines reach this many pixels in, the halo one pixel out. */
const REACH = 8
const DARK = [8, 12, 18] as const
const LIGHT = [255, 255, 255] as const
const DARK_OPACITY = 0.8
const LIGHT_OPACITY = 0.5
/** Below this many pixels a light line would leave nothing of the inside. */
const ROOM_FOR_LIGHT_PX = 14

let scratch = new Uint8Array(0)
let columns = new Int32Array(0)

/** Where a box of the photo lies on the plate, halo included. */
export function onPlate({ scale, left, top, width, height }: Plate, [x0, y0, x1, y1]: Box): Box {
  const margin = 3
  return [
    Math.max(0, Math.floor(x0 * scale - left) - margin),
    Math.max(0, Math.floor(y0 * scale - top) - margin),
    Math.min(width, Math.ceil(x1 * scale - left) + margin),
    Math.min(height, Math.ceil(y1 * scale - top) + margin),
  ]
}

export function wipe(plate: Plate, [x0, y0, x1, y1]: Box): void {
  for (let y = y0; y < y1; y++) plate.data.fill(0, 4 * (y * plate.width + x0), 4 * (y * plate.width + x1))
}

/** @param to a plate of the same size. */
export function copy(from: Plate, to: Plate, [x0, y0, x1, y1]: Box): void {
  for (let y = y0; y < y1; y++) {
    const [first, end] = [4 * (y * from.width + x0), 4 * (y * from.width + x1)]
    to.data.set(from.data.subarray(first, end), first)
  }
}

/**
 * A tint, a line in the mask's colour just inside its border, and a halo, dark outside and light inside, so that the line
 * is read on any photo.
 *
 * @param clip of the plate's pixels; nothing else changes.
 */
export function drawMask(plate: Plate, shapes: Shapes, style: MaskStyle, clip: Box): void {
  const bounds = onPlate(plate, shapes.box)
  const [x0, y0] = [Math.max(bounds[0], clip[0]), Math.max(bounds[1], clip[1])]
  const [x1, y1] = [Math.min(bounds[2], clip[2]), Math.min(bounds[3], clip[3])]
  if (x0 >= x1 || y0 >= y1) return
  const [width, height] = [x1 - x0 + 2 * REACH, y1 - y0 + 2 * REACH]
  rasterise(plate, shapes, x0 - REACH, y0 - REACH, width, height)
  const line = Math.min(Math.max(1, Math.round(style.line)), REACH - 2)
  const hasLight =
    Math.min(bounds[2] - bounds[0], bounds[3] - bounds[1]) > ROOM_FOR_LIGHT_PX && !style.isDashed
  markDepths(width, height, line + (hasLight ? 1 : 0))
  const { data } = plate
  for (let y = y0; y < y1; y++) {
    let from = (y - y0 + REACH) * width + REACH
    let to = 4 * (y * plate.width + x0)
    for (let x = x0; x < x1; x++, from++, to += 4) {
      const mark = scratch[from]!
      if (!mark) continue
      const depth = mark === HALO ? 0 : mark >> 1
      if (depth === 0 && mark !== HALO) {
        if (style.fill) tint(data, to, style.colour, style.fill)
        continue
      }
      if (style.isDashed && ((x + y) >> 2) % 3 === 0) continue
      if (depth === 0) blend(data, to, DARK, DARK_OPACITY)
      else if (depth <= line) blend(data, to, style.colour, 1)
      else {
        if (style.fill) tint(data, to, style.colour, style.fill)
        blend(data, to, LIGHT, LIGHT_OPACITY)
      }
    }
  }
}

/** The mask's pixels as the plate shows them, into `scratch`. */
function rasterise(
  plate: Plate,
  shapes: Shapes,
  x0: number,
  y0: number,
  width: number,
  height: number,
): void {
  const level = plate.scale >= 1 ? 0 : Math.ceil(Math.log2(1 / plate.scale) - 1e-9)
  const { box, bits } = shapes.at(level)
  const blocks = 2 ** -level / plate.scale
  const boxWidth = box[2] - box[0]
  if (scratch.length < width * height) scratch = new Uint8Array(width * height)
  if (columns.length < width) columns = new Int32Array(width)
  scratch.fill(0, 0, width * height)
  let [first, last] = [width, -1]
  for (let i = 0; i < width; i++) {
    const column = Math.floor((x0 + i + 0.5 + plate.left) * blocks)
    if (column < box[0] || column >= box[2]) continue
    columns[i] = column - box[0]
    first = Math.min(first, i)
    last = i
  }
  for (let j = 0; j < height; j++) {
    const row = Math.floor((y0 + j + 0.5 + plate.top) * blocks)
    if (row < box[1] || row >= box[3]) continue
    const from = (row - box[1]) * boxWidth
    const to = j * width
    for (let i = first; i <= last; i++) scratch[to + i] = bits[from + columns[i]!]!
  }
}

/** Pixels inside are told how far they are from the border, up to `deepest`; those just outside are the halo. */
function markDepths(width: number, height: number, deepest: number): void {
  for (let y = 1; y < height - 1; y++) {
    const end = (y + 1) * width - 1
    for (let at = y * width + 1; at < end; at++) {
      const near = scratch[at - 1]! & scratch[at + 1]! & scratch[at - width]! & scratch[at + width]! & INSIDE
      if (scratch[at]! & INSIDE) {
        if (!near) scratch[at] = INSIDE | 2
      } else if (
        (scratch[at - 1]! | scratch[at + 1]! | scratch[at - width]! | scratch[at + width]!) &
        INSIDE
      ) {
        scratch[at] = HALO
      }
    }
  }
  for (let depth = 2; depth <= deepest; depth++) {
    const before = INSIDE | ((depth - 1) << 1)
    const mark = INSIDE | (depth << 1)
    for (let y = 1; y < height - 1; y++) {
      const end = (y + 1) * width - 1
      for (let at = y * width + 1; at < end; at++) {
        if (scratch[at] !== INSIDE) continue
        if (
          scratch[at - 1] === before ||
          scratch[at + 1] === before ||
          scratch[at - width] === before ||
          scratch[at + width] === before
        ) {
          scratch[at] = mark
        }
      }
    }
  }
}

/** Tints mix, but do not add up: however many masks lie on each other, the photo is seen through them. */
function tint(
  data: Uint8ClampedArray,
  at: number,
  colour: readonly [number, number, number],
  opacity: number,
): void {
  const there = data[at + 3]!
  if (there) {
    blend(data, at, colour, opacity)
    data[at + 3] = Math.max(there, 255 * opacity)
    return
  }
  data[at] = colour[0]
  data[at + 1] = colour[1]
  data[at + 2] = colour[2]
  data[at + 3] = 255 * opacity
}

/** `colour` at `opacity` over what is there. */
function blend(
  data: Uint8ClampedArray,
  at: number,
  colour: readonly [number, number, number],
  opacity: number,
): void {
  const below = (data[at + 3]! / 255) * (1 - opacity)
  const all = opacity + below
  if (!all) return
  data[at] = (colour[0] * opacity + data[at]! * below) / all
  data[at + 1] = (colour[1] * opacity + data[at + 1]! * below) / all
  data[at + 2] = (colour[2] * opacity + data[at + 2]! * below) / all
  data[at + 3] = 255 * all
}
