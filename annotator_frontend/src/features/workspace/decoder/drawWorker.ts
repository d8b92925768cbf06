/** Makes masks of logits that the server sent, away from the page's main thread. It needs no WebAssembly. */

import type { Bitmask } from '@/shared/geometry/bitmask'
import { logitsToMask, stabilityOf } from '@/shared/geometry/logits'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Size } from '@/shared/geometry/points'
import { changedAt } from '@/shared/geometry/regions'
import { runsOf } from '@/shared/geometry/rowRuns'
import { floatsOf } from './float16'
import type { Candidate } from './protocol'

/** Logits of masks, best first: float16, masks x side x side. */
export interface ToDraw {
  id: number
  logits: ArrayBuffer
  side: number
  size: Size
  predictedIous: readonly number[]
  /** Which of the decoder's masks each is; 0: the single one. */
  channels: readonly number[]
  /** The mask that is corrected: it changes only at the clicks, as in the browser's own decoder. */
  before: Bitmask | null
  prompts: readonly Prompt[]
}

export interface Drawn {
  id: number
  candidates: Candidate[]
}

function corrected(before: Bitmask, answer: Bitmask, prompts: readonly Prompt[]): Bitmask {
  if (prompts.some(({ kind }) => kind !== 'point')) return answer
  const places = (label: 0 | 1) =>
    prompts.flatMap(prompt => (prompt.kind === 'point' && prompt.label === label ? [prompt.at] : []))
  return changedAt(before, answer, places(1), places(0))
}

self.onmessage = ({ data }: MessageEvent<ToDraw>) => {
  const { id, side, size, channels, predictedIous, before, prompts } = data
  const all = floatsOf(data.logits)
  const candidates = channels.map((channel, index): Candidate => {
    const logits = all.slice(index * side * side, (index + 1) * side * side)
    const answer = logitsToMask(logits, side, size)
    const mask = before ? corrected(before, answer, prompts) : answer
    return {
      index: channel === 0 ? null : ((channel - 1) as 0 | 1 | 2),
      predictedIou: predictedIous[index]!,
      stability: stabilityOf(logits, side, size),
      logits,
      region: null,
      mask,
      runs: runsOf(mask),
    }
  })
  const transfer = candidates.flatMap(
    ({ logits, mask }) => [logits.buffer, mask.bits.buffer] as ArrayBuffer[],
  )
  ;(self as unknown as Worker).postMessage({ id, candidates } satisfies Drawn, transfer)
}
