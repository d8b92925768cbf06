import { ApiError, bytesOf, persist, Unreachable } from '@/shared/api/client'
import { Signal } from '@/shared/api/signal'
import type { Bitmask } from '@/shared/geometry/bitmask'
import { areWithin } from '@/shared/geometry/crops'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Box } from '@/shared/geometry/points'
import { rememberRuns } from '@/shared/geometry/rowRuns'
import { t } from '@/shared/i18n'
import type { Correcting } from './correcting'
import type { Candidate, FromWorker, PhotoForDecoder, ToWorker } from './protocol'
import { RemoteDecoder } from './remote'
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

/**
 * What answers clicks, from the best to what is always there: WebAssembly with several threads, with one, and the server.
 * (WebGPU is left out: with so small a decoder, moving tensors to it and back costs what it saves.)
 */
export type Step = { where: 'browser'; threads: number } | { where: 'server'; why: string }

type Asked = Parameters<DecoderClient['prompt']>

/** The page's side of the Web Worker. */
export class DecoderClient {
  private worker = newWorker()
  private remote: RemoteDecoder | null = null
  private readonly photos = new Map<string, Omit<PhotoForDecoder, 'embedding'>>()
  /** What was asked last: asked again of the server when the worker cannot answer it. */
  private last: Asked | null = null
  /** Of photos that are not there yet: what is to be answered as soon as they are. */
  private readonly early = new Map<string, Asked>()
  /** What the server is being asked, again and again where it has to be. */
  private asking: { photo: string; overtaken: AbortController } | null = null
  private readonly loading = new Map<string, Promise<void>>()
  private readonly pending = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  private listener: DecoderListener | null = null
  /** Of each photo that is looked at closer, the part. */
  private readonly regions = new Map<string, Box>()
  private known: readonly Candidate[] = []

  private choosing: Promise<number> | null = null

  /** Threads need the isolation headers. How many are best is measured with the first decoder. */
  threads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency)) : 1

  readonly step = new Signal<Step>({ where: 'browser', threads: this.threads })

  /** Why the server has not answered yet, and is asked again; null: nothing is in the way. */
  readonly hindrance = new Signal<string | null>(null)

  constructor() {
    this.hearWorker()
  }

  private hearWorker(): void {
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data)
    this.worker.onerror = event => {
      const broken = new Error(event.message || t('the decoder could not be started'))
      if (!this.pending.size) this.goRemote(broken)
      for (const { reject } of this.pending.values()) reject(broken)
      this.pending.clear()
    }
  }

  /** From now on the server answers; what is asked right now, too. */
  private goRemote(error: unknown): void {
    if (this.remote) return
    this.remote = new RemoteDecoder()
    this.worker.terminate()
    this.step.set({ where: 'server', why: error instanceof Error ? error.message : String(error) })
    // Nobody answers these any more, and nobody needs to: the photos that wait for them are the server's now.
    for (const { resolve } of this.pending.values()) resolve()
    this.pending.clear()
    if (this.last) void this.askRemote()
  }

  /**
   * The newest prompt, one at a time: what it overtakes is not asked at all, or not again. A click waits for the network, the
   * login and a server that restarts.
   */
  private async askRemote(): Promise<void> {
    if (this.asking) return
    while (this.last) {
      const asked = this.last
      const [photo, revision] = asked
      this.last = null
      if (!this.photos.has(photo)) continue
      const overtaken = new AbortController()
      this.asking = { photo, overtaken }
      await persist(
        () => this.askOnce(asked, overtaken.signal),
        overtaken.signal,
        (problem, isFinal) => {
          if (isFinal) this.listener?.onFailure(photo, revision, problem)
          else this.hindrance.set(problem)
        },
      )
      this.hindrance.set(null)
    }
    this.asking = null
  }

  private async askOnce(
    [photo, revision, prompts, fedBack, correcting]: Asked,
    signal: AbortSignal,
  ): Promise<void> {
    const began = performance.now()
    // The server looks at the whole photo only: logits of a part mean nothing there, their mask does.
    const made = fedBack instanceof Float32Array ? this.maker(fedBack) : undefined
    const fed = made?.region ? made.mask : fedBack
    const candidates = await this.remote!.decode(this.photos.get(photo)!, prompts, fed, correcting, signal)
    this.know(candidates)
    this.listener?.onAnswer(photo, revision, candidates, performance.now() - began)
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
    if (typeof WebAssembly === 'undefined') this.goRemote(new Error(t('it has no WebAssembly')))
    if (this.remote) return
    try {
      const model = await (await bytesOf(url)).arrayBuffer()
      this.choosing ??= chooseThreads(
        this.threads,
        decoderHash,
        threads => measure(model, threads),
        () => localStorage,
      )
      const chosen = await this.choosing
      try {
        await this.start(decoderHash, model.slice(0), chosen)
      } catch (error) {
        if (chosen === 1) throw error
        this.worker.terminate()
        this.worker = newWorker()
        this.hearWorker()
        await this.start(decoderHash, model, 1)
      }
    } catch (error) {
      // The network, or a server that restarts: the shelf tries again.
      if (error instanceof Unreachable || error instanceof ApiError) throw error
      this.goRemote(error)
    }
  }

  private async start(decoderHash: string, model: ArrayBuffer, threads: number): Promise<void> {
    if (this.remote) return
    const loaded = new Promise<void>((resolve, reject) => this.pending.set(decoderHash, { resolve, reject }))
    this.send({ kind: 'load', decoderHash, model, threads }, [model])
    await loaded
    this.threads = threads
    // The server may have taken over meanwhile.
    if (!this.remote) this.step.set({ where: 'browser', threads })
  }

  addPhoto(photo: PhotoForDecoder): void {
    const { embedding, ...about } = photo
    this.photos.set(photo.photo, about)
    if (!this.remote) this.send({ kind: 'photo', photo }, [embedding])
    const early = this.early.get(photo.photo)
    this.early.delete(photo.photo)
    if (early) this.prompt(...early)
  }

  /** Its lease was taken again, under another name. */
  moved(photo: string, assignment: string): void {
    const about = this.photos.get(photo)
    if (about) this.photos.set(photo, { ...about, assignment })
  }

  forgetPhoto(photo: string): void {
    const decoderHash = this.photos.get(photo)?.decoderHash
    this.photos.delete(photo)
    this.early.delete(photo)
    if (this.asking?.photo === photo) this.asking.overtaken.abort()
    this.send({ kind: 'forget', photo })
    // Another decoder has gone live. Where no photo is left at all, the next one most likely needs the same again.
    const needed = [...this.photos.values()].map(held => held.decoderHash)
    if (decoderHash === undefined || !needed.length || needed.includes(decoderHash)) return
    this.loading.delete(decoderHash)
    this.send({ kind: 'release', decoderHash })
  }

  /** Answer prompts that lie in this part of a photo as if it were all of it. */
  lookCloser(region: Box, part: Omit<PhotoForDecoder, 'assignment'>): void {
    this.regions.set(part.photo, region)
    this.send({ kind: 'closer', photo: part.photo, region, part }, [part.embedding])
  }

  lookAtAll(photo: string): void {
    if (this.regions.delete(photo)) this.send({ kind: 'whole', photo })
  }

  /** What is on show: these logits go back in, and only in the frame that they were made in. Older ones are not held. */
  know(candidates: readonly Candidate[]): void {
    this.known = candidates
    rememberRunsOf(candidates)
  }

  private maker(logits: Float32Array): Candidate | undefined {
    return this.known.find(candidate => candidate.logits === logits)
  }

  private isCloser(photo: string, prompts: readonly Prompt[]): boolean {
    const region = this.regions.get(photo)
    return region !== undefined && areWithin(prompts, region)
  }

  /** Answered as soon as the photo is there: an object that a reload interrupted is asked about before it is. */
  prompt(
    photo: string,
    revision: number,
    prompts: readonly Prompt[],
    fedBack: Float32Array | Bitmask | null,
    correcting: Correcting | null,
  ): void {
    if (!this.photos.has(photo)) {
      this.early.set(photo, [photo, revision, prompts, fedBack, correcting])
      return
    }
    this.last = [photo, revision, prompts, fedBack, correcting]
    if (this.remote) {
      this.asking?.overtaken.abort()
      void this.askRemote()
    } else this.sendPrompt(this.last)
  }

  private sendPrompt([photo, revision, prompts, fedBack, correcting]: Asked): void {
    const isCloser = this.isCloser(photo, prompts)
    // Logits mean something only in the frame that they were made in; their mask does in all.
    const made = fedBack instanceof Float32Array ? this.maker(fedBack) : undefined
    const region = isCloser ? this.regions.get(photo)! : null
    const fed = made && String(made.region) !== String(region) ? made.mask : fedBack
    this.send({ kind: 'prompt', photo, revision, prompts, fedBack: fed, isCloser, correcting })
  }

  /** Ask what a click would give. Anything else goes first; where there is no answer, it comes back empty. */
  preview(photo: string, id: number, prompt: Prompt): void {
    // The server is not asked what a click would give: it would be asked without end.
    if (this.remote) this.listener?.onPreview(id, [], new Float32Array())
    else this.send({ kind: 'preview', id, photo, prompt, isCloser: this.isCloser(photo, [prompt]) })
  }

  stop(): void {
    this.last = null
    this.asking?.overtaken.abort()
    this.worker.terminate()
    this.remote?.stop()
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer)
  }

  private hear(message: FromWorker): void {
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
        if (this.last?.[1] === message.revision) this.last = null
        this.know(message.candidates)
        this.listener?.onAnswer(message.photo, message.revision, message.candidates, message.milliseconds)
        break
      case 'previewed':
        rememberRunsOf(message.candidates)
        this.listener?.onPreview(message.id, message.candidates, message.edges)
        break
      case 'probed': // asked by `measure`, of its own worker
        break
      case 'not there':
        // Of a photo that was dropped nobody waits for an answer. One that was sent was lost with a worker that broke.
        if (this.photos.has(message.photo)) this.goRemote(new Error(t('it lost the photo')))
        break
      case 'failed':
        // Out of memory, most likely.
        this.goRemote(new Error(message.message))
    }
  }
}

/** With the mask, and no longer than it: steps of undo keep candidates without their pixels. */
function rememberRunsOf(candidates: readonly Candidate[]): void {
  for (const candidate of candidates) {
    if (candidate.runs) rememberRuns(candidate.mask, candidate.runs)
    delete candidate.runs
  }
}
