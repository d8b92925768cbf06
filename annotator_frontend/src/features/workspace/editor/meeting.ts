import type { AcceptedMask, Document } from './document'
import { type Step, type StepMask, unpackedMask } from './steps'

/** The document and its steps, once others were at the photo. */
export interface Meeting {
  document: Document
  past: readonly Step[]
  future: readonly Step[]
  /** How many masks came and went. */
  count: number
}

/**
 * Take in what others made, and let go what they took away, in all steps, so that no undo takes it back.
 *
 * @param there all masks that the photo has now.
 * @returns null: others have changed nothing.
 */
export function meeting(
  document: Document,
  past: readonly Step[],
  future: readonly Step[],
  there: readonly AcceptedMask[],
): Meeting | null {
  const all = [...past, ...future, document].flatMap(step => step.masks)
  const [known, present] = [idsOf(all), idsOf(there)]
  const came = there.filter(({ id }) => !known.has(id))
  const gone = idsOf(document.masks.filter(({ id }) => !present.has(id)))
  if (!came.length && !gone.size) return null
  // What they took the place of is not to come back beside what is there in its place now.
  const kin = withKin(gone, all)
  for (const id of present) kin.delete(id)
  return {
    document: met(document, gone, came),
    past: past.map(step => met(step, kin, came)),
    future: future.map(step => met(step, kin, came)),
    count: came.length + gone.size,
  }
}

/** A step as if others had always made these masks, and never those. */
function met<Own extends Step>(step: Own, gone: ReadonlySet<string>, came: readonly AcceptedMask[]): Own {
  const masks = [...step.masks.filter(({ id }) => !gone.has(id)), ...came]
  const refines = step.refines !== null && gone.has(step.refines) ? null : step.refines
  return { ...step, masks, refines }
}

/**
 * The document and its steps without a mask that the server does not take.
 *
 * @param replaces what is in its place there still, and so comes back here; null: nothing.
 */
export function without(
  document: Document,
  past: readonly Step[],
  future: readonly Step[],
  id: string,
  replaces: string | null,
): Omit<Meeting, 'count'> {
  const there = [document, ...past, ...future]
    .flatMap(({ masks }) => masks)
    .find(mask => mask.id === replaces)
  const letGo = <Own extends Step>(step: Own): Own => {
    const isBack = there !== undefined && !step.masks.some(mask => mask.id === replaces)
    const masks = step.masks.flatMap(mask => {
      if (mask.id === id) return isBack ? [unpackedMask(there)] : []
      if (mask.replaces !== id) return [mask]
      return [{ ...mask, replaces: mask.id === replaces ? null : replaces }]
    })
    return { ...step, masks, refines: step.refines === id ? (there ? replaces : null) : step.refines }
  }
  return { document: letGo(document), past: past.map(letGo), future: future.map(letGo) }
}

/** Those masks, and all others of the same objects: what they took the place of, and what took theirs. */
function withKin(ids: ReadonlySet<string>, masks: readonly StepMask[]): Set<string> {
  const kin = new Set(ids)
  let before: number
  do {
    before = kin.size
    for (const { id, replaces } of masks) {
      if (replaces !== null && kin.has(id) !== kin.has(replaces)) kin.add(id).add(replaces)
    }
  } while (kin.size > before)
  return kin
}

function idsOf(masks: readonly { id: string }[]): ReadonlySet<string> {
  return new Set(masks.map(({ id }) => id))
}
