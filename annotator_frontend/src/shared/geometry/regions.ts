import { areaOf, type Bitmask, covers, cropped } from './bitmask'
import { squaredDistances } from './distances'
import type { Box, ImagePoint } from './points'

/** Connected regions of equal pixels, as runs along rows. */
interface Regions {
  rows: number[]
  starts: number[]
  /** Excluded. */
  ends: number[]
  /** Of each run. */
  region: Int32Array
  /** Of each region, in pixels. */
  areas: number[]
  /** Of each region: whether it reaches the edge of the rectangle. */
  isOpen: boolean[]
}

/** Runs that touch belong together: sideways, and with `diagonally` over corners as well. */
export function regionsOf(
  bits: Uint8Array,
  width: number,
  height: number,
  value: 0 | 1,
  diagonally: boolean,
): Regions {
  const [rows, starts, ends, parent]: [number[], number[], number[], number[]] = [[], [], [], []]
  const rootOf = (run: number) => {
    let root = run
    while (parent[root] !== root) root = parent[root]!
    while (parent[run] !== root) [parent[run], run] = [root, parent[run]!]
    return root
  }
  const reach = diagonally ? 1 : 0
  let [aboveFrom, aboveTo] = [0, 0]
  for (let y = 0; y < height; y++) {
    const first = rows.length
    const row = bits.subarray(y * width, (y + 1) * width)
    let above = aboveFrom
    for (let x = row.indexOf(value); x >= 0; ) {
      const next = row.indexOf(value ? 0 : 1, x)
      const end = next < 0 ? width : next
      const run = rows.length
      rows.push(y)
      starts.push(x)
      ends.push(end)
      parent.push(run)
      while (above < aboveTo && ends[above]! + reach <= x) above++
      for (let other = above; other < aboveTo && starts[other]! < end + reach; other++) {
        const [a, b] = [rootOf(other), rootOf(run)]
        parent[Math.max(a, b)] = Math.min(a, b)
      }
      x = next < 0 ? -1 : row.indexOf(value, end)
    }
    ;[aboveFrom, aboveTo] = [first, rows.length]
  }
  const region = new Int32Array(rows.length)
  const [areas, isOpen]: [number[], boolean[]] = [[], []]
  for (let run = 0; run < rows.length; run++) {
    const root = rootOf(run)
    if (root === run) {
      region[run] = areas.length
      areas.push(0)
      isOpen.push(false)
    } else {
      region[run] = region[root]!
    }
    const own = region[run]!
    areas[own] = areas[own]! + ends[run]! - starts[run]!
    if (rows[run] === 0 || rows[run] === height - 1 || starts[run] === 0 || ends[run] === width) {
      isOpen[own] = true
    }
  }
  return { rows, starts, ends, region, areas, isOpen }
}

/** Cut to the box of its 1s. */
export function trimmed({ size, box: [x0, y0, x1, y1], bits }: Bitmask): Bitmask {
  const small = cropped(bits, { height: y1 - y0, width: x1 - x0 })
  const [left, top, right, bottom] = small.box
  if (right === 0) return { size, box: [0, 0, 0, 0], bits: small.bits }
  return { size, box: [left + x0, top + y0, right + x0, bottom + y0], bits: small.bits }
}

/** The connected parts of a mask, largest first. Pixels that meet at a corner are connected. */
export function partsOf(mask: Bitmask): Bitmask[] {
  const { size, box, bits } = mask
  const [x0, y0, x1, y1] = box
  const width = x1 - x0
  const { rows, starts, ends, region, areas } = regionsOf(bits, width, y1 - y0, 1, true)
  if (areas.length < 2) return areas.length ? [mask] : []
  const boxes = areas.map((): [number, number, number, number] => [width, y1 - y0, 0, 0])
  rows.forEach((y, run) => {
    const own = boxes[region[run]!]!
    own[0] = Math.min(own[0], starts[run]!)
    own[1] = Math.min(own[1], y)
    own[2] = Math.max(own[2], ends[run]!)
    own[3] = y + 1
  })
  const parts = boxes.map(
    ([left, top, right, bottom]): Bitmask => ({
      size,
      box: [left + x0, top + y0, right + x0, bottom + y0],
      bits: new Uint8Array((right - left) * (bottom - top)),
    }),
  )
  rows.forEach((y, run) => {
    const own = region[run]!
    const [left, top, right] = boxes[own]!
    const at = (y - top) * (right - left) - left
    parts[own]!.bits.fill(1, at + starts[run]!, at + ends[run]!)
  })
  const order = parts.map((_, index) => index).sort((a, b) => areas[b]! - areas[a]!)
  return order.map(index => parts[index]!)
}

export interface Cleaned {
  mask: Bitmask
  /** How many islands went, or holes were filled. */
  count: number
}

/** Small ones are below this share of the mask's pixels. */
export const SMALL_SHARE = 0.01

/**
 * Without its islands: the connected parts that are small; where none is, all but the largest part. So a key pressed once
 * takes specks away, and pressed twice leaves one part.
 */
export function withoutIslands(mask: Bitmask): Cleaned {
  const parts = partsOf(mask)
  if (parts.length < 2) return { mask, count: 0 }
  const least = SMALL_SHARE * areaOf(mask)
  const large = parts.filter((part, index) => index === 0 || areaOf(part) >= least)
  const kept = large.length < parts.length ? large : parts.slice(0, 1)
  return { mask: union(kept), count: parts.length - kept.length }
}

/**
 * With its holes filled: the small ones; where none is small, all. A hole is background that does not reach the mask's
 * outside over the sides of pixels; background at the photo's border is not enclosed, so it is no hole.
 */
export function withoutHoles(mask: Bitmask): Cleaned {
  const { size, box, bits } = mask
  const width = box[2] - box[0]
  const { rows, starts, ends, region, areas, isOpen } = regionsOf(bits, width, box[3] - box[1], 0, false)
  const holes = areas.map((_, index) => index).filter(index => !isOpen[index])
  if (!holes.length) return { mask, count: 0 }
  const small = holes.filter(index => areas[index]! < SMALL_SHARE * areaOf(mask))
  const filled = new Set(small.length ? small : holes)
  const all = bits.slice()
  rows.forEach((y, run) => {
    if (filled.has(region[run]!)) all.fill(1, y * width + starts[run]!, y * width + ends[run]!)
  })
  return { mask: { size, box, bits: all }, count: filled.size }
}

export function union(masks: readonly Bitmask[]): Bitmask {
  const solid = masks.filter(({ bits }) => bits.length)
  const { size } = masks[0]!
  if (!solid.length) return { size, box: [0, 0, 0, 0], bits: new Uint8Array(0) }
  const box: Box = [
    Math.min(...solid.map(mask => mask.box[0])),
    Math.min(...solid.map(mask => mask.box[1])),
    Math.max(...solid.map(mask => mask.box[2])),
    Math.max(...solid.map(mask => mask.box[3])),
  ]
  const bits = new Uint8Array((box[2] - box[0]) * (box[3] - box[1]))
  for (const mask of solid) {
    eachSharedRow(box, mask, (at, its, length) => {
      for (let i = 0; i < length; i++) bits[at + i] = bits[at + i]! | mask.bits[its + i]!
    })
  }
  return { size, box, bits }
}

/** What of a mask is in none of the others. */
export function difference(mask: Bitmask, others: readonly Bitmask[]): Bitmask {
  const bits = mask.bits.slice()
  for (const other of others) {
    eachSharedRow(mask.box, other, (at, its, length) => {
      for (let i = 0; i < length; i++) bits[at + i] = bits[at + i]! & ~other.bits[its + i]!
    })
  }
  return trimmed({ ...mask, bits })
}

/**
 * A mask with those changes alone that somebody asked for: of connected regions that another mask has more, what is at a place of
 * `adds`, and of those that it has less, what is at a place of `cuts`. FocalClick (Chen et al. 2022) merges so: a click corrects one
 * spot, and what was right stays.
 */
export function changedAt(
  before: Bitmask,
  after: Bitmask,
  adds: readonly ImagePoint[],
  cuts: readonly ImagePoint[],
): Bitmask {
  const at = (regions: Bitmask, places: readonly ImagePoint[]) =>
    partsOf(regions).flatMap(part =>
      places.filter(({ x, y }) => covers(part, x, y)).map(place => meantBy(place, part)),
    )
  const gained = at(difference(after, [before]), adds)
  const lost = at(difference(before, [after]), cuts)
  return union([difference(before, lost), ...gained])
}

/** What is within a region and this much farther from the spot than the spot's own edge still belongs to it: its corners. */
const CORNERS_PX = 1.5

/**
 * What a click in a region means: not what hangs on by a thin bridge. Two outlines of one object never agree, so a region of change goes on
 * around the object as a rim. The spot is what is at least half as deep inside as the click, up to the region's border.
 */
function meantBy({ x, y }: ImagePoint, region: Bitmask): Bitmask {
  const { size, box, bits } = region
  const [x0, y0, x1, y1] = box
  const [width, height] = [x1 - x0, y1 - y0]
  const depths = squaredDistances(bits, width, height, true)
  const depth = depths[(Math.floor(y) - y0) * width + Math.floor(x) - x0]!
  const deep: Bitmask = { size, box, bits: bits.map((_, at) => Number(4 * depths[at]! >= depth)) }
  const spot = partsOf(deep).find(part => covers(part, x, y))!
  const besides = new Uint8Array(bits.length).fill(1)
  const spotWidth = spot.box[2] - spot.box[0]
  for (let row = spot.box[1]; row < spot.box[3]; row++) {
    for (let column = spot.box[0]; column < spot.box[2]; column++) {
      if (spot.bits[(row - spot.box[1]) * spotWidth + column - spot.box[0]])
        besides[(row - y0) * width + column - x0] = 0
    }
  }
  const away = squaredDistances(besides, width, height, false)
  const reach = (Math.sqrt(depth) / 2 + CORNERS_PX) ** 2
  return trimmed({ size, box, bits: bits.map((bit, at) => Number(bit && away[at]! <= reach)) })
}

/** Pixels that both have, over pixels that one has. Two empty masks are the same. */
export function iouOf(a: Bitmask, b: Bitmask): number {
  let both = 0
  eachSharedRow(a.box, b, (at, its, length) => {
    for (let i = 0; i < length; i++) both += a.bits[at + i]! & b.bits[its + i]!
  })
  const either = areaOf(a) + areaOf(b) - both
  return either ? both / either : 1
}

/** Of each row that a box and a mask share: where it begins in pixels of the box and of the mask, and how long it is. */
function eachSharedRow(
  [x0, y0, x1, y1]: Box,
  { box: [left, top, right, bottom] }: Bitmask,
  visit: (at: number, its: number, length: number) => void,
): void {
  const [from, to] = [Math.max(x0, left), Math.min(x1, right)]
  if (from >= to) return
  for (let y = Math.max(y0, top); y < Math.min(y1, bottom); y++) {
    visit((y - y0) * (x1 - x0) + from - x0, (y - top) * (right - left) + from - left, to - from)
  }
}
