import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { flattened, type Patched } from '@/shared/geometry/patched'
import type { Box } from '@/shared/geometry/points'
import { encode } from '@/shared/geometry/runLengths'
import { type Correcting, stillSaid } from '../decoder/correcting'
import type { Candidate } from '../decoder/protocol'

/** A mask that was accepted here, or was on the photo before. */
export interface AcceptedMask {
  id: string
  mask: Bitmask
  counts: string
  origin: 'assisted' | 'brush' | 'proposed' | 'automatic' | 'imported'
  prompts: readonly Prompt[]
  predictedIou: number | null
  stability: number | null
  /** Which of the three masks of its first prompt a person took. */
  choice: number | null
  seconds: number | null
  clicks: number
  /** Whether it was made under the assignment at hand: submitting names these. */
  isNew: boolean
  /** The mask that this one took the place of. */
  replaces: string | null
  /** Shown, but not to be touched. */
  locked: boolean
  /** The part of the photo that the model looked at; null: all of it, or no model. */
  cropBox: Box | null
}

/** What the model said of the mask that hands went on with. */
export type ModelsWord = Pick<Candidate, 'index' | 'predictedIou' | 'stability' | 'region'>

/** The object in work once hands have painted it: these pixels are shown and stored, not a candidate's. */
export interface Painted {
  pixels: Patched
  from: ModelsWord | null
}

/** The prompts and what answers them. */
export interface ObjectInWork {
  prompts: readonly Prompt[]
  /** Answers to `answers`, which is `prompts` unless the decoder is still at it. */
  candidates: readonly Candidate[]
  answers: readonly Prompt[]
  chosen: number
  /** Which of the masks of a lone prompt somebody has chosen, whatever prompts came after it. */
  picked: { prompt: Prompt; index: Candidate['index'] } | null
  /** What went into the decoder with the prompts. */
  fedBack: Float32Array | Bitmask | null
  painted: Painted | null
  /** Hands have painted it at some time, so its edges are a person's will, whatever clicks have made of it since. */
  isHandled: boolean
  /** The accepted mask that is being corrected. */
  refines: string | null
}

/** What one undo step goes back to. Immutable. */
export interface Document extends ObjectInWork {
  masks: readonly AcceptedMask[]
}

export const NO_PROMPTS: readonly Prompt[] = []

/** Of a candidate that a draft kept without. */
export const NO_LOGITS = new Float32Array()

export const NO_OBJECT: ObjectInWork = {
  prompts: NO_PROMPTS,
  candidates: [],
  answers: NO_PROMPTS,
  chosen: 0,
  picked: null,
  fedBack: null,
  painted: null,
  isHandled: false,
  refines: null,
}

/** Whether there is an object in work: undo, Enter and Escape are about it then. */
export function isBusy({
  prompts,
  painted,
}: {
  prompts: readonly Prompt[]
  painted: object | null
}): boolean {
  return prompts.length > 0 || painted !== null
}

/** The accepted mask that is not shown now, because the object in work, or a stroke, stands in its place. */
export function standsBack(
  state: ObjectInWork & { isPainting: boolean; selected: string | null },
): string | null {
  if (isBusy(state)) return state.refines
  return state.isPainting ? state.selected : null
}

/** The pixels of the object in work, those that are shown and would be stored. */
export function shownMask(document: Document): Bitmask | null {
  const { painted, candidates, chosen, refines, masks } = document
  if (painted) return flattened(painted.pixels)
  return candidates[chosen]?.mask ?? masks.find(({ id }) => id === refines)?.mask ?? null
}

/** What is known of the mask that goes into the decoder with the prompts; null: none does, or logits do. */
export function correctingIn({ fedBack, isHandled, refines, masks }: Document): Correcting | null {
  if (!fedBack || !('bits' in fedBack)) return null
  const own = isHandled ? undefined : masks.find(({ id }) => id === refines)
  if (!own) return { mask: fedBack, said: NO_PROMPTS, isModels: false }
  return {
    mask: own.mask,
    said: own.prompts,
    isModels: own.origin === 'proposed' || own.origin === 'automatic',
  }
}

/**
 * What goes into the decoder with more prompts: what is on show, and on the very first one nothing is. Of a mask that is corrected, or
 * was painted, the pixels go in, else the answer's logits.
 */
export function fedBackWith(
  { prompts, candidates, chosen, painted, fedBack, masks }: Document,
  refines: string | null,
): Float32Array | Bitmask | null {
  if (painted) return flattened(painted.pixels)
  const shown = prompts.length ? candidates[chosen] : undefined
  const isCorrected = refines !== null || (fedBack !== null && 'bits' in fedBack)
  if (!isCorrected) return shown?.logits.length ? shown.logits : null
  return shown?.mask ?? masks.find(({ id }) => id === refines)?.mask ?? null
}

/** Whether its logits would go in with more prompts, and a draft has not kept them, because another candidate was chosen then. */
export function lacksLogits({ candidates, chosen, fedBack }: Document): boolean {
  return fedBack === null && candidates[chosen]?.logits.length === 0
}

/** The object in work as a mask of the photo, in the place of the one that it corrects; null where nothing can be taken yet. */
export function acceptedOf(
  document: Document,
  made: (mask: Bitmask, replaces: string | null) => AcceptedMask,
): AcceptedMask | null {
  const { candidates, answers, chosen, picked, prompts, painted, refines, masks } = document
  const mask = painted ? flattened(painted.pixels) : candidates[chosen]?.mask
  if (!mask || answers !== prompts || isEmpty(mask)) return null
  const model = painted ? painted.from : candidates[chosen]!
  const said = masks.find(({ id }) => id === refines)?.prompts ?? NO_PROMPTS
  return {
    ...made(mask, refines),
    origin: painted ? 'brush' : 'assisted',
    prompts: painted ? prompts : [...stillSaid(said, mask, prompts), ...prompts],
    predictedIou: model?.predictedIou ?? null,
    stability: model?.stability ?? null,
    choice: model?.index ?? (picked && prompts[0] === picked.prompt ? picked.index : null),
    cropBox: model?.region ?? null,
    clicks: prompts.length,
  }
}

export function isEmpty(mask: Bitmask): boolean {
  return !mask.bits.includes(1)
}

/** A mask that hands made, or changed. */
export function madeByHand(
  mask: Bitmask,
  id: string,
  replaces: string | null,
  seconds: number,
): AcceptedMask {
  return {
    id,
    mask,
    counts: encode(mask),
    origin: 'brush',
    prompts: [],
    predictedIou: null,
    stability: null,
    choice: null,
    seconds,
    clicks: 0,
    isNew: true,
    replaces,
    locked: false,
    cropBox: null,
  }
}

/**
 * A mask that was here before. The server takes no row back, so it is a new one; whatever it was, a person put it here. In
 * another's place it is no new work: the server counts the work on what a mask replaces, and it is among that.
 */
export function madeAgain(mask: AcceptedMask, id: string, replaces: string | null): AcceptedMask {
  const origin = mask.origin === 'brush' ? 'brush' : 'assisted'
  const again = { ...mask, id, origin, isNew: true, replaces } as const
  return replaces === null || mask.seconds === null ? again : { ...again, seconds: 0, clicks: 0 }
}
