import { type Bitmask, covers } from '@/shared/geometry/bitmask'
import { areWithin, intoCrop, maskFromCrop, maskIntoCrop } from '@/shared/geometry/crops'
import { innermostPoint } from '@/shared/geometry/distances'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Box, ImagePoint, Size } from '@/shared/geometry/points'
import { changedAt, difference, iouOf, trimmed, union } from '@/shared/geometry/regions'

/** A mask that clicks correct. */
export interface Correcting {
  /** As it was before them. */
  mask: Bitmask
  /** What was said of it when it was made. */
  said: readonly Prompt[]
  /** The model made it, and nobody has worked on it: none of its edges is a person's will. */
  isModels: boolean
}

/** IoU with the mask before, below which an answer is about another object. */
const CHANGES_TO = 0.75

/** Whether all that is said is clicks; a box or words are about the whole object, so they stand alone and their answer is taken whole. */
function areClicks(prompts: readonly Prompt[]): boolean {
  return prompts.every(({ kind }) => kind === 'point')
}

/** Of what was said of a mask before, what still holds of the pixels that it has now and goes with what is said next. */
export function stillSaid(said: readonly Prompt[], now: Bitmask, next: readonly Prompt[]): readonly Prompt[] {
  if (!areClicks(next)) return []
  return said.filter(
    prompt =>
      prompt.kind === 'box' || (prompt.kind === 'point' && isIn(now, prompt.at) === (prompt.label === 1)),
  )
}

/**
 * What goes into the decoder with clicks on a mask that is there. The model was taught masks only together with what was said to get
 * them: of a lone click, even with the mask, it makes another object. So it is told what was said, and where nobody said anything, what
 * the mask says of itself: a point in its innermost place, and its box.
 */
export function promptsToCorrect(
  { mask, said, isModels }: Correcting,
  now: Bitmask,
  clicks: readonly Prompt[],
): readonly Prompt[] {
  if (!areClicks(clicks)) return clicks
  const held = stillSaid(said, now, clicks)
  const against = clicks.flatMap(click => (click.kind === 'point' && click.label === 0 ? [click.at] : []))
  const points = held.filter(
    prompt =>
      prompt.kind === 'point' &&
      !(prompt.label === 1 && against.some(place => isSamePixel(place, prompt.at, now.size))),
  )
  const hasInside = points.some(prompt => prompt.kind === 'point' && prompt.label === 1)
  const own = isModels ? held.find(prompt => prompt.kind === 'box')?.box : undefined
  const box = own ?? (isModels && hasInside ? null : mask.box)
  if (!hasInside) {
    const middle = innermostPoint(without(mask, against))
    const at = middle && covers(now, middle.x, middle.y) ? middle : innermostPoint(without(now, against))
    if (at) points.unshift({ kind: 'point', at, label: 1 })
  }
  return [
    ...points,
    ...(box && box[2] > box[0] ? [{ kind: 'box', box: around(box, clicks, now.size) } as const] : []),
    ...clicks,
  ]
}

/** The pixel at a place: the photo's far edge is its last pixel's. */
function pixelAt({ x, y }: ImagePoint, { width, height }: Size): ImagePoint {
  return { x: Math.min(Math.floor(x), width - 1), y: Math.min(Math.floor(y), height - 1) }
}

function isIn(mask: Bitmask, place: ImagePoint): boolean {
  const { x, y } = pixelAt(place, mask.size)
  return covers(mask, x, y)
}

function isSamePixel(a: ImagePoint, b: ImagePoint, size: Size): boolean {
  const [one, other] = [pixelAt(a, size), pixelAt(b, size)]
  return one.x === other.x && one.y === other.y
}

/** A mask without the pixels that clicks take away: what is innermost is as far from them as from its border. */
function without(mask: Bitmask, places: readonly ImagePoint[]): Bitmask {
  const [x0, y0, x1] = mask.box
  const bits = mask.bits.slice()
  for (const place of places) {
    const { x, y } = pixelAt(place, mask.size)
    if (covers(mask, x, y)) bits[(y - y0) * (x1 - x0) + x - x0] = 0
  }
  return { ...mask, bits }
}

/** A box that holds the clicks for more as well, and ends where the photo does. */
function around(box: Box, clicks: readonly Prompt[], { width, height }: Size): Box {
  let [x0, y0, x1, y1] = box
  for (const click of clicks) {
    if (click.kind !== 'point' || click.label === 0) continue
    const { x, y } = click.at
    ;[x0, y0] = [Math.min(x0, Math.max(0, x - 0.5)), Math.min(y0, Math.max(0, y - 0.5))]
    ;[x1, y1] = [Math.max(x1, Math.min(width, x + 0.5)), Math.max(y1, Math.min(height, y + 0.5))]
  }
  return [x0, y0, x1, y1]
}

/**
 * A mask that clicks correct as a part of the photo has it, in that part's frame: what was said elsewhere says nothing there, a box ends
 * where the part does.
 */
export function correctingIntoCrop({ mask, said, isModels }: Correcting, part: Box): Correcting {
  const there = said.flatMap((prompt): Prompt[] => {
    if (prompt.kind !== 'box') return areWithin([prompt], part) ? [intoCrop(prompt, part)] : []
    const [x0, y0] = [Math.max(prompt.box[0], part[0]), Math.max(prompt.box[1], part[1])]
    const [x1, y1] = [Math.min(prompt.box[2], part[2]), Math.min(prompt.box[3], part[3])]
    return x1 > x0 && y1 > y0 ? [intoCrop({ kind: 'box', box: [x0, y0, x1, y1] }, part)] : []
  })
  return { mask: trimmed(maskIntoCrop(mask, part)), said: there, isModels }
}

/**
 * What is taken of an answer. Where people made the mask, its other edges are meant: only what is at the clicks changes. Where the
 * model made it, its answer to more is the better mask everywhere, unless it is another object.
 */
export function corrected(
  { isModels }: Correcting,
  now: Bitmask,
  answer: Bitmask,
  clicks: readonly Prompt[],
): Bitmask {
  if (!areClicks(clicks) || (isModels && iouOf(answer, now) >= CHANGES_TO)) return answer
  const places = (label: 0 | 1) =>
    clicks.flatMap(click =>
      click.kind === 'point' && click.label === label ? [pixelAt(click.at, now.size)] : [],
    )
  return changedAt(now, answer, places(1), places(0))
}

/**
 * `corrected`, where a part of the photo was looked at: what lies outside it stays, unless a box or words asked for the whole anew.
 *
 * @param answer in the part's frame; all else is in the photo's.
 */
export function correctedInPart(
  correcting: Correcting,
  now: Bitmask,
  answer: Bitmask,
  clicks: readonly Prompt[],
  part: Box,
): Bitmask {
  const there = maskIntoCrop(now, part)
  const inside = clicks.map(click => intoCrop(click, part))
  const changed = corrected(correctingIntoCrop(correcting, part), there, answer, inside)
  const inWhole = maskFromCrop(changed, part, now.size)
  if (!areClicks(clicks)) return inWhole
  return union([difference(now, [maskFromCrop(there, part, now.size)]), inWhole])
}
