import type { Bitmask } from '@/shared/geometry/bitmask'
import { logitsToMask, stabilityOf } from '@/shared/geometry/logits'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Size } from '@/shared/geometry/points'
import { runsOf } from '@/shared/geometry/rowRuns'
import { tidied } from '@/shared/geometry/tidy'
import { type Correcting, corrected } from './correcting'
import { floatsOf } from './float16'
import type { Candidate } from './protocol'

/** What the server's decoder answered, and what it was asked. */
export interface ToDraw {
  /** Of masks, best first: float16, masks x side x side. */
  logits: ArrayBuffer
  side: number
  size: Size
  inputSide: number
  predictedIous: readonly number[]
  /** Which of the decoder's masks each is; 0: the single one. */
  channels: readonly number[]
  /** The mask that is corrected, as it is now. */
  now: Bitmask | null
  correcting: Correcting | null
  prompts: readonly Prompt[]
  /** What went into the decoder. */
  said: readonly Prompt[]
}

/** The masks of logits that the server sent. It needs no WebAssembly. */
export function drawn(told: ToDraw): Candidate[] {
  const { side, size, inputSide, channels, predictedIous, now, correcting, prompts, said } = told
  const all = floatsOf(told.logits)
  return channels.map((channel, index): Candidate => {
    const logits = all.slice(index * side * side, (index + 1) * side * side)
    const answer = logitsToMask(tidied(logits, side, size, inputSide, said), side, size, inputSide)
    const mask = now && correcting ? corrected(correcting, now, answer, prompts) : answer
    return {
      index: channel === 0 ? null : ((channel - 1) as 0 | 1 | 2),
      predictedIou: predictedIous[index]!,
      stability: stabilityOf(logits, side, size, inputSide),
      logits,
      region: null,
      mask,
      runs: runsOf(mask),
    }
  })
}
