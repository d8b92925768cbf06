/** Draws away from the page's main thread. */

import { drawn, type ToDraw } from './drawn'
import type { Candidate } from './protocol'

export type ToDrawWorker = ToDraw & { id: number }

export interface FromDrawWorker {
  id: number
  candidates: Candidate[]
}

self.onmessage = ({ data }: MessageEvent<ToDrawWorker>) => {
  const candidates = drawn(data)
  const transfer = candidates.flatMap(
    ({ logits, mask }) => [logits.buffer, mask.bits.buffer] as ArrayBuffer[],
  )
  ;(self as unknown as Worker).postMessage({ id: data.id, candidates } satisfies FromDrawWorker, transfer)
}
