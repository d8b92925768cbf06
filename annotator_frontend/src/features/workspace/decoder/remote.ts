import { bytesOf, csrfToken } from '@/shared/api/client'
import type { Bitmask } from '@/shared/geometry/bitmask'
import { maskToLogits } from '@/shared/geometry/logits'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { storedPrompt } from '../saving/maskBody'
import { type Correcting, promptsToCorrect } from './correcting'
import { drawn, type ToDraw } from './drawn'
import type { FromDrawWorker, ToDrawWorker } from './drawWorker'
import { halvesOf } from './float16'
import { type Candidate, logitsSide, type PhotoForDecoder } from './protocol'

/** Prompts answered by the server's decoder, where the browser cannot run its own. */
export class RemoteDecoder {
  /** null: it is broken, and the page's main thread draws. */
  private worker: Worker | null = new Worker(new URL('./drawWorker.ts', import.meta.url), { type: 'module' })
  private readonly drawing = new Map<
    number,
    { told: ToDraw; resolve: (found: Candidate[] | Promise<Candidate[]>) => void }
  >()
  private asked = 0

  constructor() {
    this.worker!.onmessage = ({ data }: MessageEvent<FromDrawWorker>) => {
      this.drawing.get(data.id)?.resolve(data.candidates)
      this.drawing.delete(data.id)
    }
    this.worker!.onerror = () => this.goOnHere()
  }

  /**
   * The masks that answer prompts, best first.
   *
   * @param signal nobody wants them any more.
   */
  async decode(
    { assignment, size, inputSide, embeddingShape }: Omit<PhotoForDecoder, 'embedding'>,
    prompts: readonly Prompt[],
    fedBack: Float32Array | Bitmask | null,
    correcting: Correcting | null,
    signal?: AbortSignal,
  ): Promise<Candidate[]> {
    const side = logitsSide(embeddingShape)
    const now = correcting && fedBack && 'bits' in fedBack ? fedBack : null
    const said = now ? promptsToCorrect(correcting!, now, prompts) : prompts
    const previous = fedBack && 'bits' in fedBack ? maskToLogits(fedBack, side, inputSide) : fedBack
    const response = await bytesOf(`/api/assignments/${assignment}/decode/`, {
      method: 'POST',
      signal,
      headers: { 'Content-Type': 'application/json', 'X-CSRFToken': csrfToken() },
      body: JSON.stringify({
        prompts: said.map(storedPrompt),
        previous: previous && base64Of(halvesOf(previous)),
      }),
    })
    const numbers = (name: string) => response.headers.get(name)!.split(',').map(Number)
    const logits = await response.arrayBuffer()
    const [predictedIous, channels] = [numbers('X-Predicted-Iou'), numbers('X-Channels')]
    return this.draw({
      logits,
      side,
      size,
      inputSide,
      predictedIous,
      channels,
      now,
      correcting,
      prompts,
      said,
    })
  }

  private async draw(told: ToDraw): Promise<Candidate[]> {
    const { worker } = this
    if (!worker) return drawn(told)
    const id = this.asked++
    return new Promise(resolve => {
      this.drawing.set(id, { told, resolve })
      // The logits are copied, so that they can be drawn here should it break.
      worker.postMessage({ ...told, id } satisfies ToDrawWorker)
    })
  }

  /** The worker is broken: its script is gone since a deploy, or it ran out of memory. */
  private goOnHere(): void {
    this.worker?.terminate()
    this.worker = null
    for (const { told, resolve } of this.drawing.values()) resolve(this.draw(told))
    this.drawing.clear()
  }

  stop(): void {
    this.worker?.terminate()
  }
}

function base64Of({ buffer }: Uint16Array<ArrayBuffer>): string {
  let text = ''
  // In parts: a call takes only so many arguments.
  for (let at = 0; at < buffer.byteLength; at += 0x8000) {
    text += String.fromCharCode(...new Uint8Array(buffer, at, Math.min(0x8000, buffer.byteLength - at)))
  }
  return btoa(text)
}
