import { type AcceptedMask, isBusy } from './document'
import type { Step, StepMask } from './steps'

/** A mask that is to be on the photo again, and which of those that go it takes the place of. */
export interface Return {
  mask: StepMask
  replaces: string | null
}

/** What makes one set of masks of another. */
export interface Way {
  back: readonly Return[]
  /** What goes and has nothing in its place. */
  removed: readonly string[]
}

/** From the masks on the photo to those of a step. */
export function wayTo(wanted: readonly StepMask[], present: readonly AcceptedMask[]): Way {
  let going = present.filter(({ id }) => !has(wanted, id))
  const back: Return[] = []
  for (const mask of wanted) {
    if (has(present, mask.id)) continue
    const replaces = partnerOf(mask, going)
    going = going.filter(({ id }) => id !== replaces)
    back.push({ mask, replaces })
  }
  return { back, removed: going.map(({ id }) => id) }
}

/**
 * Seconds of the new object that was accepted between two steps. Those of a correction are none of them: whatever takes its place, the
 * server counts the work on what that replaces.
 */
export function secondsBetween(before: Step, after: Step): number {
  if (!isBusy(before) || isBusy(after)) return 0
  const made = after.masks.filter(
    ({ id, replaces }) => !has(before.masks, id) && !has(before.masks, replaces),
  )
  return made.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0)
}

/** Of masks that go: the one in whose place another comes back. */
function partnerOf(back: StepMask, out: readonly StepMask[]): string | null {
  return out.find(gone => gone.replaces === back.id || back.replaces === gone.id)?.id ?? null
}

function has(masks: readonly StepMask[], wanted: string | null): boolean {
  return masks.some(({ id }) => id === wanted)
}

/** Other ids in the place of ids that the server does not take back. Steps that name none of them stay as they are. */
export function renamed<Own extends Step>(step: Own, renames: ReadonlyMap<string, AcceptedMask>): Own {
  const idOf = (id: string | null) => (id === null ? null : (renames.get(id)?.id ?? id))
  const masks = step.masks.map(mask => {
    const own = renames.get(mask.id) ?? mask
    const replaces = idOf(own.replaces)
    return replaces === own.replaces ? own : { ...own, replaces }
  })
  const isSame = masks.every((mask, index) => mask === step.masks[index])
  const refines = idOf(step.refines)
  return isSame && refines === step.refines ? step : { ...step, masks, refines }
}

/** What undoing one mask comes to: the newest step of all, masks for other masks, or nothing that can be undone. */
export type Unmaking = 'newest step' | { gone: readonly string[]; back: readonly Return[] } | null

/** Undo of one mask, though other things were done since its step. */
export class MaskUndo {
  /** Masks that it brought back, and what they are in the steps. */
  private readonly cameBack = new Map<string, string>()

  /** The steps have other names for masks now, or are others. */
  forget(): void {
    this.cameBack.clear()
  }

  /** `mask` is on the photo again, as `again`. */
  remember(again: string, mask: string): void {
    this.cameBack.set(again, mask)
  }

  /** @param steps all of them, and what is now. */
  of(id: string, steps: readonly Step[]): Unmaking {
    // The newest step took the last click of a correction off, or gave it up.
    const last = steps.at(-2)
    if (last && isBusy(last) && last.refines === id) return 'newest step'
    // A mask that came back so is, in the steps, the one that it was.
    const original = this.cameBack.get(id) ?? id
    let made = steps.findLastIndex(({ masks }) => has(masks, original))
    while (made > 0 && has(steps[made - 1]!.masks, original)) made--
    if (made <= 0) return null
    if (made === steps.length - 1) return 'newest step'
    const [{ masks: before }, { masks: after }] = [steps[made - 1]!, steps[made]!]
    const out = after.filter(mask => !has(before, mask.id))
    const gone = out.map(({ id: one }) => this.presentOf(one, steps.at(-1)!))
    // Another step took a part of it since: that one is to be undone first.
    if (!gone.every(one => one !== null)) return null
    const back = before.filter(mask => !has(after, mask.id))
    return {
      gone,
      back: back.map(mask => {
        const partner = partnerOf(mask, out)
        return { mask, replaces: partner && gone[out.findIndex(({ id: one }) => one === partner)]! }
      }),
    }
  }

  private presentOf(original: string, { masks }: Step): string | null {
    return masks.find(({ id }) => id === original || this.cameBack.get(id) === original)?.id ?? null
  }
}
