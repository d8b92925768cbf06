import { columnsOf, type Patched, TILE } from '@/shared/geometry/patched'
import type { Box } from '@/shared/geometry/points'
import { IN_WORK } from '../editor/colours'
import type { View } from '../tools/panTool'

/** Tint, border and halo of the object in work: red, green, blue, opacity, as the others' borders and tints are. */
const TINT = [...IN_WORK, 0.45 * 255] as const
const BORDER = [...IN_WORK, 255] as const
const HALO = [8, 12, 18, 0.75 * 255] as const
/** So far around a pixel of the screen its neighbours decide what it is. */
const AROUND = 2
const TILE_BITS = Math.log2(TILE)

function word([red, green, blue, alpha]: readonly [number, number, number, number]): number {
  return new Uint32Array(new Uint8Array([red, green, blue, alpha]).buffer)[0]!
}

const [TINT_WORD, BORDER_WORD, HALO_WORD] = [word(TINT), word(BORDER), word(HALO)]

/**
 * A mask that hands paint, straight onto the screen: each screen pixel looks up the photo's pixel beneath it. So a stroke
 * costs the screen that it crosses, whatever the photo's size, and there is no second picture of the photo to keep.
 *
 * @param on the part of the photo that has changed; null: everything in view.
 */
export function paintPixels(
  canvas: HTMLCanvasElement,
  mask: Patched,
  view: View,
  ratio: number,
  on: Box | null,
): void {
  const scale = view.scale * ratio
  const [left, top] = [view.offsetX * ratio, view.offsetY * ratio]
  const { width, height } = mask.size
  const [a, b, c, d] = on ?? [0, 0, width, height]
  const reach = AROUND + 1
  const x0 = Math.max(Math.floor(left + a * scale) - reach, 0)
  const y0 = Math.max(Math.floor(top + b * scale) - reach, 0)
  const x1 = Math.min(Math.ceil(left + c * scale) + reach, canvas.width)
  const y1 = Math.min(Math.ceil(top + d * scale) + reach, canvas.height)
  if (x0 >= x1 || y0 >= y1) return
  const inside = sampled(mask, x0 - AROUND, y0 - AROUND, x1 + AROUND, y1 + AROUND, scale, left, top)
  const context = canvas.getContext('2d')!
  const picture = context.createImageData(x1 - x0, y1 - y0)
  colour(inside, x1 - x0, y1 - y0, new Uint32Array(picture.data.buffer))
  context.putImageData(picture, x0, y0)
}

/** 1 for each screen pixel whose middle is on a pixel of the mask. */
function sampled(
  { size, base, tiles }: Patched,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  scale: number,
  left: number,
  top: number,
): Uint8Array {
  const inside = new Uint8Array((x1 - x0) * (y1 - y0))
  const columns = columnsOf(size)
  const [boxLeft, boxTop, boxRight, boxBottom] = base.box
  const boxWidth = boxRight - boxLeft
  const across = new Int32Array(x1 - x0)
  for (let x = x0; x < x1; x++) across[x - x0] = Math.floor((x + 0.5 - left) / scale)
  let [lastRow, lastAt] = [-1, -1]
  for (let y = y0; y < y1; y++) {
    const row = Math.floor((y + 0.5 - top) / scale)
    if (row < 0 || row >= size.height) continue
    const at = (y - y0) * (x1 - x0)
    if (row === lastRow) {
      inside.copyWithin(at, lastAt, lastAt + x1 - x0)
      continue
    }
    ;[lastRow, lastAt] = [row, at]
    const isInBox = row >= boxTop && row < boxBottom
    const baseAt = (row - boxTop) * boxWidth - boxLeft
    const tileRow = Math.floor(row / TILE) * columns
    const tileAt = (row % TILE) * TILE
    let [column, tile]: [number, Uint8Array | undefined] = [-1, undefined]
    for (let i = 0; i < across.length; i++) {
      const x = across[i]!
      if (x < 0 || x >= size.width) continue
      if (x >> TILE_BITS !== column) {
        column = x >> TILE_BITS
        tile = tiles.get(tileRow + column)
      }
      if (tile) inside[at + i] = tile[tileAt + (x & (TILE - 1))]!
      else if (isInBox && x >= boxLeft && x < boxRight) inside[at + i] = base.bits[baseAt + x]!
    }
  }
  return inside
}

/** Inside tinted, its rim the border, and the rim around it the halo. */
function colour(inside: Uint8Array, width: number, height: number, words: Uint32Array): void {
  const wide = width + 2 * AROUND
  for (let y = 0; y < height; y++) {
    let at = (y + AROUND) * wide + AROUND
    for (let x = 0; x < width; x++, at++) {
      const own = inside[at]!
      const near = inside[at - 1]! + inside[at + 1]! + inside[at - wide]! + inside[at + wide]!
      if (own) {
        if (near < 4) words[y * width + x] = BORDER_WORD
        else {
          const far = inside[at - 2]! + inside[at + 2]! + inside[at - 2 * wide]! + inside[at + 2 * wide]!
          words[y * width + x] = far < 4 ? BORDER_WORD : TINT_WORD
        }
      } else if (near) {
        words[y * width + x] = HALO_WORD
      }
    }
  }
}
