import { bytesOf } from '@/shared/api/client'
import type { Bitmask } from '@/shared/geometry/bitmask'
import { areWithin } from '@/shared/geometry/crops'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Box } from '@/shared/geometry/points'
import type { Candidate, FromWorker, PhotoForDecoder, ToWorker } from './protocol'
import { chooseThreads } from './threads'

export interface DecoderListener {
  onAnswer: (photo: string, revision: number, candidates: Candidate[], milliseconds: number) => void
  onPreview: (id: number, candidates: Candidate[], edges: Float32Array) => void
  onFailure: (photo: string | null, revision: number | null, message: string) => void
}

function newWorker(): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
}

/** A worker that has not answered by then never will. */
const PROBE_MS = 20_000

/** In a worker of its own, because a worker keeps the number of threads that it began with. */
function measure(model: ArrayBuffer, threads: number): Promise<number> {
  const worker = newWorker()
  return new Promise<number>(resolve => {
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) =>
      resolve(data.kind === 'probed' ? data.milliseconds : Number.POSITIVE_INFINITY)
    worker.onerror = () => resolve(Number.POSITIVE_INFINITY)
    setTimeout(() => resolve(Number.POSITIVE_INFINITY), PROBE_MS)
    worker.postMessage({ kind: 'probe', model, threads } satisfies ToWorker)
  }).finally(() => worker.terminate())
}

/** The page's side of the Web Worker. */
export class DecoderClient {
  private readonly worker = newWorker()
  private readonly loading = new Map<string, Promise<void>>()
  private readonly pending = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  private broken: Error | null = null
  private listener: DecoderListener | null = null
  /** Of each photo that is looked at closer, the part. */
  private readonly regions = new Map<string, Box>()
  private readonly madeBy = new WeakMap<Float32Array, Candidate>()

  private choosing: Promise<number> | null = null

  /** Threads need the isolation headers. How many are best is measured with the first decoder. */
  threads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency)) : 1

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data)
    this.worker.onerror = event => {
      this.broken = new Error(event.message || 'The decoder could not be started.')
      for (const { reject } of this.pending.values()) reject(this.broken)
      this.pending.clear()
      this.listener?.onFailure(null, null, this.broken.message)
    }
  }

  listen(listener: DecoderListener): void {
    this.listener = listener
  }

  /** Fetch and compile a decoder; the same one is loaded once. */
  load(decoderHash: string, url: string): Promise<void> {
    let loading = this.loading.get(decoderHash)
    if (!loading) {
      loading = this.fetchModel(decoderHash, url)
      this.loading.set(decoderHash, loading)
      loading.catch(() => this.loading.delete(decoderHash))
    }
    return loading
  }

  private async fetchModel(decoderHash: string, url: string): Promise<void> {
    const model = await (await bytesOf(url)).arrayBuffer()
    this.choosing ??= chooseThreads(
      this.threads,
      decoderHash,
      threads => measure(model, threads),
      () => localStorage,
    )
    this.threads = await this.choosing
    if (this.broken) throw this.broken
    const loaded = new Promise<void>((resolve, reject) => this.pending.set(decoderHash, { resolve, reject }))
    this.send({ kind: 'load', decoderHash, model, threads: this.threads }, [model])
    await loaded
  }

  addPhoto(photo: PhotoForDecoder): void {
    this.send({ kind: 'photo', photo }, [photo.embedding])
  }

  forgetPhoto(photo: string): void {
    this.send({ kind: 'forget', photo })
  }

  /** Answer prompts that lie in this part of a photo as if it were all of it. */
  lookCloser(region: Box, part: PhotoForDecoder): void {
    this.regions.set(part.photo, region)
    this.send({ kind: 'closer', photo: part.photo, region, part }, [part.embedding])
  }

  lookAtAll(photo: string): void {
    if (this.regions.delete(photo)) this.send({ kind: 'whole', photo })
  }

  /** Answers of before: their logits go back in only in the frame that they were made in. */
  know(candidates: readonly Candidate[]): void {
    for (const candidate of candidates) this.madeBy.set(candidate.logits, candidate)
  }

  private isCloser(photo: string, prompts: readonly Prompt[]): boolean {
    const region = this.regions.get(photo)
    return region !== undefined && areWithin(prompts, region)
  }

  prompt(
    photo: string,
    revision: number,
    prompts: readonly Prompt[],
    fedBack: Float32Array | Bitmask | null,
  ): void {
    const isCloser = this.isCloser(photo, prompts)
    // Logits mean something only in the frame that they were made in; their mask does in all.
    const made = fedBack instanceof Float32Array ? this.madeBy.get(fedBack) : undefined
    const region = isCloser ? this.regions.get(photo)! : null
    const fed = made && String(made.region) !== String(region) ? made.mask : fedBack
    const corrects = fedBack !== null && !(fedBack instanceof Float32Array)
    this.send({ kind: 'prompt', photo, revision, prompts, fedBack: fed, isCloser, corrects })
  }

  /** Ask what a click would give. Anything else goes first; where there is no answer, it comes back empty. */
  preview(photo: string, id: number, prompt: Prompt): void {
    this.send({ kind: 'preview', id, photo, prompt, isCloser: this.isCloser(photo, [prompt]) })
  }

  stop(): void {
    this.worker.terminate()
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer)
  }

  private hear(message: FromWorker): void {
    if ('candidates' in message) this.know(message.candidates)
    switch (message.kind) {
      case 'loaded':
        this.pending.get(message.decoderHash)?.resolve()
        this.pending.delete(message.decoderHash)
        break
      case 'not loaded':
        this.pending.get(message.decoderHash)?.reject(new Error(message.message))
        this.pending.delete(message.decoderHash)
        break
      case 'answer':
        this.listener?.onAnswer(message.photo, message.revision, message.candidates, message.milliseconds)
        break
      case 'previewed':
        this.listener?.onPreview(message.id, message.candidates, message.edges)
        break
      case 'probed': // asked by `measure`, of its own worker
        break
      case 'failed':
        this.listener?.onFailure(message.photo, message.revision, message.message)
    }
  }
}
