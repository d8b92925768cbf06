import { type Document, isBusy, NO_LOGITS, NO_OBJECT } from './document'
import { packed, type Step, type StepMask } from './steps'

/** One step of the object in work, whatever the other masks are. */
type Part = Omit<Step, 'masks'>

/** The object in work, which nobody has accepted yet, as plain data. */
export interface Draft extends Part {
  /** The steps that it went through, oldest first, so that they can be taken back one by one. */
  earlier: readonly Part[]
  /** Of work on it so far; drafts from before they were kept have none. */
  seconds?: number
}

/** What is kept of a document; null where nothing is in work. */
export function draftOf(
  { masks: _, ...object }: Document,
  past: readonly Step[],
  seconds: number,
): Draft | null {
  return isBusy(object) ? { ...object, earlier: earlierOf(object, past), seconds } : null
}

/**
 * The steps without what the model answered: that is asked again when somebody goes back to them. What went in with the prompts is
 * kept where it was pixels, which are small as run lengths. Logits are large: instead of them go in the pixels that the clicks
 * began with. Strokes in a row become one step.
 */
function earlierOf(object: Part, past: readonly Step[]): Part[] {
  const before = past.slice(past.findLastIndex(step => !isBusy(step)) + 1)
  const earlier: Part[] = []
  let began: Part['fedBack'] = null
  for (const [at, { prompts, answers, fedBack, painted, isHandled, refines }] of before.entries()) {
    const next = before[at + 1] ?? object
    if (!(fedBack instanceof Float32Array)) began = fedBack
    const isPainted = painted !== null && answers === prompts
    if (!isPainted) {
      // Where nothing of this object changed, another mask did.
      if (next.prompts !== prompts || next.painted)
        earlier.push({ ...NO_OBJECT, prompts, fedBack: began, isHandled, refines })
    } else if (next.prompts !== prompts && next.fedBack && 'size' in next.fedBack) {
      // The click after strokes was asked with their pixels.
      const pixels = { size: next.fedBack.size, base: next.fedBack, tiles: new Map() }
      const then = { prompts, answers: prompts, painted: { pixels, from: painted.from } }
      earlier.push({ ...NO_OBJECT, ...then, isHandled, refines })
    }
  }
  return earlier
}

/** What a draft is kept as. */
export function packedDraft({ earlier, seconds, ...object }: Draft): Draft {
  const small = (part: Part): Part => {
    const { masks: _, ...kept } = packed({ ...part, masks: [] })
    return withLogitsToUse(kept)
  }
  return { ...small(object), earlier: earlier.map(small), seconds }
}

/** Logits are large, so only those are kept that can still go in: with the next prompt, or with those whose answer is awaited. */
function withLogitsToUse({ candidates, fedBack, ...part }: Part): Part {
  const isCorrected = part.refines !== null || (fedBack !== null && !(fedBack instanceof Float32Array))
  const goesIn = part.answers === part.prompts && !isCorrected ? null : fedBack
  return {
    ...part,
    fedBack: goesIn,
    candidates: candidates.map((candidate, index) => {
      const isNext = index === part.chosen && !isCorrected
      return isNext || candidate.logits === goesIn ? candidate : { ...candidate, logits: NO_LOGITS }
    }),
  }
}

/**
 * What was kept, and the steps to it, among the masks that are there now. Of another version's draft, what fits; null where it
 * is none.
 */
export function stepsOf(
  kept: unknown,
  masks: readonly StepMask[],
): { draft: Step; earlier: Step[]; seconds: number } | null {
  const { earlier, seconds = 0, ...object } = (kept ?? {}) as Partial<Draft>
  const step = (part: Partial<Part>): Step => {
    // What it corrects may be gone meanwhile: then it is an object of its own.
    const refines = masks.some(({ id }) => id === part.refines) ? part.refines! : null
    return { ...NO_OBJECT, isHandled: Boolean(part.painted), ...part, refines, masks }
  }
  const isStep = ({ prompts, painted }: Step) => Array.isArray(prompts) && isBusy({ prompts, painted })
  const draft = step(object)
  if (!isStep(draft)) return null
  return { draft, earlier: Array.isArray(earlier) ? earlier.map(step).filter(isStep) : [], seconds }
}
