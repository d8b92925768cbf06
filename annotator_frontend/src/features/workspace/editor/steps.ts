import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Patched } from '@/shared/geometry/patched'
import type { Size } from '@/shared/geometry/points'
import { decode, encode } from '@/shared/geometry/runLengths'
import type { Candidate } from '../decoder/protocol'
import type { AcceptedMask, Document } from './document'

/** A mask as its run lengths: some hundred times smaller than its pixels. */
export interface Packed {
  size: Size
  counts: string
}

type Pixels = Bitmask | Packed
export type StepMask = Omit<AcceptedMask, 'mask'> & { mask: Pixels }
type StepCandidate = Omit<Candidate, 'mask'> & { mask: Pixels }

/** What undo goes back to: a document, whose masks may be packed. A document is one. */
export interface Step extends Omit<Document, 'masks' | 'candidates' | 'painted' | 'fedBack'> {
  masks: readonly StepMask[]
  candidates: readonly StepCandidate[]
  painted: (Omit<NonNullable<Document['painted']>, 'pixels'> & { pixels: StepPixels }) | null
  fedBack: Float32Array | Pixels | null
}

type StepPixels = Omit<Patched, 'base'> & { base: Pixels }

const MOST_STEPS = 200
/** What steps may take together. So many are kept whatever they take, which is little once they are packed. */
const MOST_BYTES = 128 * 2 ** 20
const LEAST_STEPS = 20
/** Pixels of the newest steps stay as they are, so that undo is there at once. */
const UNPACKED_BYTES = 64 * 2 ** 20

/** The steps, and the newest one: as many as may be kept. */
export function stepped(steps: readonly Step[], newest: Step): readonly Step[] {
  return [...steps, newest].slice(-MOST_STEPS)
}

/**
 * Both ways' steps in the memory that they may take: those far away packed, and of the oldest none.
 *
 * @param present what the page shows: its pixels are there anyway.
 */
export function packedSteps(
  past: readonly Step[],
  future: readonly Step[],
  present: Document,
): { past: readonly Step[]; future: readonly Step[] } {
  const shown = new Set(partsOf(present).keys())
  const held = new Set(shown)
  let room = UNPACKED_BYTES
  // Both lists end with what is nearest.
  const pack = (steps: readonly Step[]) =>
    steps
      .toReversed()
      .map(step => {
        const bytes = bytesOf(step, held)
        if (bytes > room) return withPixels(step, pixels => (held.has(pixels) ? pixels : packedMask(pixels)))
        room -= bytes
        for (const part of partsOf(step).keys()) held.add(part)
        return step
      })
      .toReversed()
  const [back, forth] = [pack(past), pack(future)]
  return { past: withinMemory(back, shown), future: forth }
}

function withinMemory(steps: readonly Step[], shown: ReadonlySet<object>): readonly Step[] {
  const counted = new Set(shown)
  let bytes = 0
  let first = steps.length
  while (first > 0 && (bytes <= MOST_BYTES || steps.length - first < LEAST_STEPS)) {
    first--
    bytes += bytesOf(steps[first]!, counted)
    for (const part of partsOf(steps[first]!).keys()) counted.add(part)
  }
  return first ? steps.slice(first) : steps
}

/** What takes memory in a step, with its bytes. Steps share parts. */
export function partsOf({ masks, candidates, painted, fedBack }: Step): Map<object, number> {
  const parts = new Map<object, number>()
  const add = (pixels: Pixels) =>
    parts.set(pixels, 'bits' in pixels ? pixels.bits.byteLength : pixels.counts.length)
  for (const { mask } of masks) add(mask)
  for (const { mask, logits } of candidates) add(mask).set(logits, logits.byteLength)
  if (fedBack instanceof Float32Array) parts.set(fedBack, fedBack.byteLength)
  else if (fedBack) add(fedBack)
  if (painted) {
    add(painted.pixels.base)
    for (const tile of painted.pixels.tiles.values()) parts.set(tile, tile.byteLength)
  }
  return parts
}

function bytesOf(step: Step, counted: ReadonlySet<object>): number {
  let bytes = 0
  for (const [part, own] of partsOf(step)) if (!counted.has(part)) bytes += own
  return bytes
}

/** A step with all of its pixels as run lengths. */
export function packed(step: Step): Step {
  return withPixels(step, packedMask)
}

/** @param present masks whose pixels are there already. */
export function unpacked(step: Step, present: readonly AcceptedMask[]): Document {
  const there = new Map(present.map(({ id, mask }) => [id, mask]))
  const masks = step.masks.map(own => ({ ...own, mask: there.get(own.id) ?? own.mask }))
  return withPixels({ ...step, masks }, unpackedPixels) as Document
}

const packs = new WeakMap<Bitmask, Packed>()

function packedMask(pixels: Pixels): Packed {
  if (!('bits' in pixels)) return pixels
  let pack = packs.get(pixels)
  if (!pack) {
    pack = { size: pixels.size, counts: encode(pixels) }
    packs.set(pixels, pack)
  }
  return pack
}

function unpackedPixels(pixels: Pixels): Bitmask {
  if ('bits' in pixels) return pixels
  const mask = decode(pixels.counts, pixels.size)
  packs.set(mask, pixels)
  return mask
}

export function unpackedMask(own: StepMask): AcceptedMask {
  return { ...own, mask: unpackedPixels(own.mask) }
}

/** What nothing changes in stays the same object: steps share it. */
function withPixels(step: Step, change: (pixels: Pixels) => Pixels): Step {
  const { painted, fedBack } = step
  const masks = changed(step.masks, change)
  const candidates = changed(step.candidates, change)
  const base = painted && change(painted.pixels.base)
  const fed = fedBack && !(fedBack instanceof Float32Array) ? change(fedBack) : fedBack
  const isSame = masks === step.masks && candidates === step.candidates && fed === fedBack
  if (isSame && (!painted || base === painted.pixels.base)) return step
  return {
    ...step,
    masks,
    candidates,
    fedBack: fed,
    painted: painted && { ...painted, pixels: { ...painted.pixels, base: base! } },
  }
}

function changed<Own extends { mask: Pixels }>(
  all: readonly Own[],
  change: (pixels: Pixels) => Pixels,
): readonly Own[] {
  const those = all.map(own => {
    const mask = change(own.mask)
    return mask === own.mask ? own : { ...own, mask }
  })
  return those.every((own, index) => own === all[index]) ? all : those
}
