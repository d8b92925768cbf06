import { areaOf, type Bitmask } from '@/shared/geometry/bitmask'
import { difference, partsOf, union } from '@/shared/geometry/regions'
import { isEmpty } from './document'

/** Why an operation did nothing. */
export type Refusal = 'too many' | 'nothing' | 'select' | 'select two' | 'empty' | 'waiting'

/** What came of an operation: done, how many it was about; or why not. */
export type Outcome = { done: true; count: number } | { done: false; why: Refusal }

export function refused(why: Refusal): Outcome {
  return { done: false, why }
}

const MOST_PARTS = 20

/** What selected masks become: the first of these takes the place of the first of those. */
export type Become = (selected: readonly Bitmask[]) => readonly Bitmask[] | Refusal

/** One mask of all. */
export const merged: Become = masks => (masks.length < 2 ? 'select two' : [union(masks)])

/** The others' pixels taken away from the first. */
export const subtracted: Become = ([first, ...others]) => {
  if (!first || !others.length) return 'select two'
  const rest = difference(first, others)
  if (isEmpty(rest)) return 'empty'
  return areaOf(rest) === areaOf(first) ? 'nothing' : [rest]
}

/** Each connected part a mask of its own; the largest is the first. */
export const splitUp: Become = ([mask, ...others]) => {
  if (!mask || others.length) return 'select'
  const parts = partsOf(mask)
  if (parts.length < 2) return 'nothing'
  // Specks are no objects: nobody wants fifty of them in the dataset by one key.
  return parts.length > MOST_PARTS ? 'too many' : parts
}
