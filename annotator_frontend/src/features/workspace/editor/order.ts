import { areaOf } from '@/shared/geometry/bitmask'
import type { AcceptedMask } from './editor'
import type { Order } from './look'

export interface Listed {
  mask: AcceptedMask
  /** Counted in the order in which they were made, from 1: an object keeps its number however the list is sorted. */
  number: number
}

/** The list's rows. By size the largest comes first; by confidence the least certain, since it needs a look. */
export function inOrder(masks: readonly AcceptedMask[], order: Order): Listed[] {
  const listed = masks.map((mask, index) => ({ mask, number: index + 1 }))
  if (order === 'size') listed.sort((a, b) => areaOf(b.mask.mask) - areaOf(a.mask.mask))
  if (order === 'confidence') {
    const confidence = ({ mask }: Listed) => mask.predictedIou ?? Number.POSITIVE_INFINITY
    listed.sort((a, b) => confidence(a) - confidence(b) || a.number - b.number)
  }
  return listed
}

/** The smallest mask that covers a place: what a hand there means. */
export function maskAt(masks: readonly AcceptedMask[], x: number, y: number): string | null {
  let [found, least]: [string | null, number] = [null, Number.POSITIVE_INFINITY]
  const [column, row] = [Math.floor(x), Math.floor(y)]
  for (const { id, mask } of masks) {
    const [x0, y0, x1, y1] = mask.box
    if (column < x0 || row < y0 || column >= x1 || row >= y1) continue
    if (!mask.bits[(row - y0) * (x1 - x0) + column - x0]) continue
    const pixels = areaOf(mask)
    if (pixels < least) [found, least] = [id, pixels]
  }
  return found
}
