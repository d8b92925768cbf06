import { areaOf, type Bitmask, covers } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { iouOf } from '@/shared/geometry/regions'

/** What a click did that nobody can have meant. */
export type Fault =
  /** The click itself is on the wrong side of the new mask. */
  | { kind: 'ignored'; iou: number }
  /** A click before it, which was on its right side, is not any more. */
  | { kind: 'forgot'; iou: number }
  /** More than half of the mask went with a foreground click, it grew by more than half with a background click, or all of it went. */
  | { kind: 'wrecked'; iou: number }

const TOO_MUCH = 0.5

/**
 * SAM's known fault: a later click that wrecks the mask. A large change alone is none, since one click may turn a wheel into
 * the car; but a foreground click only adds, a background click only takes away, and clicks that were obeyed stay so.
 */
export function faultOf(before: Bitmask, after: Bitmask, prompts: readonly Prompt[]): Fault | null {
  const last = prompts.at(-1)
  if (last?.kind !== 'point') return null
  const iou = iouOf(before, after)
  const isObeyed = (prompt: Prompt, mask: Bitmask) =>
    prompt.kind !== 'point' || covers(mask, prompt.at.x, prompt.at.y) === (prompt.label === 1)
  if (!isObeyed(last, after)) return { kind: 'ignored', iou }
  if (prompts.some(prompt => isObeyed(prompt, before) && !isObeyed(prompt, after))) {
    return { kind: 'forgot', iou }
  }
  const [was, is] = [areaOf(before), areaOf(after)]
  const both = (iou * (was + is)) / (1 + iou)
  const wrong = last.label === 1 ? was - both : is - both
  return was > 0 && (both === 0 || wrong > TOO_MUCH * was) ? { kind: 'wrecked', iou } : null
}
