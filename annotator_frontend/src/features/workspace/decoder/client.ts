import { bytesOf } from '@/shared/api/client'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Candidate, FromWorker, PhotoForDecoder, ToWorker } from './protocol'

export interface DecoderListener {
  onAnswer: (photo: string, revision: number, candidates: Candidate[], milliseconds: number) => void
  onFailure: (photo: string | null, message: string) => void
}

/** The page's side of the Web Worker. */
export class DecoderClient {
  private readonly worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  private readonly loading = new Map<string, Promise<void>>()
  private readonly resolvers = new Map<string, () => void>()
  private listener: DecoderListener | null = null

  /** Threads need the isolation headers; one core stays with the page. */
  readonly threads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency)) : 1

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data)
    this.worker.onerror = event =>
      this.listener?.onFailure(null, event.message || 'The decoder could not be started.')
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
    const loaded = new Promise<void>(resolve => this.resolvers.set(decoderHash, resolve))
    this.send({ kind: 'load', decoderHash, model, threads: this.threads }, [model])
    await loaded
  }

  addPhoto(photo: PhotoForDecoder): void {
    this.send({ kind: 'photo', photo }, [photo.embedding])
  }

  forgetPhoto(photo: string): void {
    this.send({ kind: 'forget', photo })
  }

  prompt(photo: string, revision: number, prompts: readonly Prompt[], fedBack: Float32Array | null): void {
    this.send({ kind: 'prompt', photo, revision, prompts, fedBack })
  }

  stop(): void {
    this.worker.terminate()
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer)
  }

  private hear(message: FromWorker): void {
    if (message.kind === 'loaded') this.resolvers.get(message.decoderHash)?.()
    else if (message.kind === 'answer') {
      this.listener?.onAnswer(message.photo, message.revision, message.candidates, message.milliseconds)
    } else this.listener?.onFailure(message.photo, message.message)
  }
}
