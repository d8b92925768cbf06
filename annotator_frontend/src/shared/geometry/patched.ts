import { type Bitmask, cropped } from './bitmask'
import type { Box, Size } from './points'

/** Side of a tile, in pixels. */
export const TILE = 64

/**
 * A mask as hands change it: what it began as, and the tiles that differ. Nothing in it ever changes, so that the steps of
 * an undo share all tiles that a stroke left alone, and a step costs what its stroke touched.
 */
export interface Patched {
  size: Size
  base: Bitmask
  /** By `row * columns + column`; TILE x TILE each, 1 inside, row by row. */
  tiles: ReadonlyMap<number, Uint8Array>
}

export function patched(base: Bitmask): Patched {
  return { size: base.size, base, tiles: new Map() }
}

export function emptyMask(size: Size): Bitmask {
  return { size, box: [0, 0, 0, 0], bits: new Uint8Array(0) }
}

/** Tiles in a row of them. */
export function columnsOf({ width }: Size): number {
  return Math.ceil(width / TILE)
}

/** What tiles cover together; null without tiles. */
export function boxOfTiles(tiles: Iterable<number>, size: Size): Box | null {
  const columns = columnsOf(size)
  let [x0, y0, x1, y1] = [size.width, size.height, 0, 0]
  for (const index of tiles) {
    const [left, top] = [(index % columns) * TILE, Math.floor(index / columns) * TILE]
    x0 = Math.min(x0, left)
    y0 = Math.min(y0, top)
    x1 = Math.max(x1, Math.min(left + TILE, size.width))
    y1 = Math.max(y1, Math.min(top + TILE, size.height))
  }
  return x1 > x0 ? [x0, y0, x1, y1] : null
}

/** One tile's pixels; a copy where it is not patched. */
export function tileOf({ size, base, tiles }: Patched, index: number): Uint8Array {
  return tiles.get(index) ?? cut(base, index, columnsOf(size))
}

function cut({ box: [x0, y0, x1, y1], bits }: Bitmask, index: number, columns: number): Uint8Array {
  const tile = new Uint8Array(TILE * TILE)
  const [left, top] = [(index % columns) * TILE, Math.floor(index / columns) * TILE]
  const [from, to] = [Math.max(left, x0), Math.min(left + TILE, x1)]
  if (from >= to) return tile
  for (let y = Math.max(top, y0); y < Math.min(top + TILE, y1); y++) {
    const at = (y - y0) * (x1 - x0) - x0
    tile.set(bits.subarray(at + from, at + to), (y - top) * TILE + from - left)
  }
  return tile
}

const OUTSIDE = new Uint8Array(TILE * TILE)
const INSIDE = new Uint8Array(TILE * TILE).fill(1)

/** Tiles all inside, or all outside, are the same two for all: a large outline costs its border. */
function shared(tile: Uint8Array): Uint8Array {
  if (!tile.includes(1)) return OUTSIDE
  return tile.includes(0) ? tile : INSIDE
}

/** Paints into a mask of its own; the one that it began with stays as it was. */
export class Painter {
  private readonly tiles: Map<number, Uint8Array>
  private readonly own = new Set<number>()
  private readonly now: Patched
  private readonly columns: number
  /** Tiles that were painted in since somebody took them. */
  private dirty = new Set<number>()

  constructor(private readonly from: Patched) {
    this.tiles = new Map(from.tiles)
    this.now = { ...from, tiles: this.tiles }
    this.columns = columnsOf(from.size)
  }

  /** Pixels x0 up to, not with, x1 of a row. What lies outside the photo is left out. */
  span(y: number, x0: number, x1: number, value: 0 | 1): void {
    const { height, width } = this.from.size
    if (y < 0 || y >= height) return
    const [from, to] = [Math.max(x0, 0), Math.min(x1, width)]
    const row = Math.floor(y / TILE)
    for (let x = from; x < to; ) {
      const column = Math.floor(x / TILE)
      const end = Math.min((column + 1) * TILE, to)
      const tile = this.writable(row * this.columns + column)
      const at = (y - row * TILE) * TILE - column * TILE
      tile.fill(value, at + x, at + end)
      x = end
    }
  }

  takeDirty(): ReadonlySet<number> {
    const taken = this.dirty
    this.dirty = new Set()
    return taken
  }

  /** The mask as it is now. Painting may go on: then this shows it, too. */
  look(): Patched {
    return this.now
  }

  /** The mask once painting is over. */
  finish(): Patched {
    for (const index of this.own) this.tiles.set(index, shared(this.tiles.get(index)!))
    this.own.clear()
    return this.now
  }

  private writable(index: number): Uint8Array {
    this.dirty.add(index)
    if (this.own.has(index)) return this.tiles.get(index)!
    const tile = tileOf(this.now, index).slice()
    this.own.add(index)
    this.tiles.set(index, tile)
    return tile
  }
}

/** Cut down to the box of its pixels. */
export function flattened(mask: Patched): Bitmask {
  const { size, base, tiles } = mask
  if (!tiles.size) return base
  const columns = columnsOf(size)
  const [a0, b0, a1, b1] = boxOfTiles(tiles.keys(), size)!
  const [left, top, right, bottom] = base.box
  const [x0, y0] = base.bits.length ? [Math.min(a0, left), Math.min(b0, top)] : [a0, b0]
  const [x1, y1] = [Math.max(a1, right), Math.max(b1, bottom)]
  const width = x1 - x0
  const bits = new Uint8Array(width * (y1 - y0))
  for (let y = top; y < bottom; y++) {
    const at = (y - top) * (right - left)
    bits.set(base.bits.subarray(at, at + right - left), (y - y0) * width + left - x0)
  }
  for (const [index, tile] of tiles) {
    const [tileX, tileY] = [(index % columns) * TILE, Math.floor(index / columns) * TILE]
    const length = Math.min(TILE, size.width - tileX)
    for (let y = tileY; y < Math.min(tileY + TILE, size.height); y++) {
      const at = (y - tileY) * TILE
      bits.set(tile.subarray(at, at + length), (y - y0) * width + tileX - x0)
    }
  }
  const small = cropped(bits, { height: y1 - y0, width })
  if (!small.bits.length) return emptyMask(size)
  const [a, b, c, d] = small.box
  return { size, box: [a + x0, b + y0, c + x0, d + y0], bits: small.bits }
}

/** The same pixels as `to`, sharing with `from` every tile that is equal: a step of undo costs what changed. */
export function repatched(from: Patched, to: Bitmask): Patched {
  const columns = columnsOf(from.size)
  const rows = Math.ceil(from.size.height / TILE)
  const tiles = new Map<number, Uint8Array>(from.tiles)
  for (let index = 0; index < rows * columns; index++) {
    const wanted = cut(to, index, columns)
    const there = tileOf(from, index)
    if (wanted.some((bit, at) => bit !== there[at])) tiles.set(index, shared(wanted))
  }
  return { ...from, tiles }
}
