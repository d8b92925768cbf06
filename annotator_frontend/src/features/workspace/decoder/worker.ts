/**
 * The mask decoder, away from the page's main thread: ONNX Runtime in WebAssembly. It answers prompts in the order in which
 * they come, and leaves out those that a newer prompt for the same photo has overtaken.
 */

import loaderUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url'
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url'
import * as ort from 'onnxruntime-web/wasm'
import { areaOf, type Bitmask, edgesOf, inTurn } from '@/shared/geometry/bitmask'
import { intoCrop, maskFromCrop, maskIntoCrop } from '@/shared/geometry/crops'
import { logitsToMask, maskToLogits, stabilityOf } from '@/shared/geometry/logits'
import { isAmbiguous, type Prompt, textToken, toModelFrame } from '@/shared/geometry/modelFrame'
import type { Box } from '@/shared/geometry/points'
import { runsOf } from '@/shared/geometry/rowRuns'
import { tidied } from '@/shared/geometry/tidy'
import {
  type Correcting,
  corrected,
  correctedInPart,
  correctingIntoCrop,
  promptsToCorrect,
} from './correcting'
import { type Candidate, type FromWorker, logitsSide, type PhotoForDecoder, type ToWorker } from './protocol'
import { Rooms } from './rooms'

ort.env.wasm.wasmPaths = { mjs: loaderUrl, wasm: wasmUrl }

interface Loaded {
  about: Omit<PhotoForDecoder, 'embedding' | 'assignment'>
  floats: Float32Array<ArrayBuffer>
  embedding: ort.Tensor
}

const TEXT_INPUT = 'text_tokens'

const sessions = new Map<string, Promise<ort.InferenceSession>>()
const photos = new Map<string, Loaded>()
const closer = new Map<string, Loaded & { region: Box }>()
const rooms = new Rooms()
const newest = new Map<string, number>()
let queue: Promise<void> = Promise.resolve()

function tell(message: FromWorker, transfer: Transferable[] = []): void {
  ;(self as unknown as Worker).postMessage(message, transfer)
}

/** Messages that came and are not answered yet. */
let waiting = 0

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  waiting++
  if (data.kind === 'prompt') newest.set(data.photo, data.revision)
  queue = queue
    .then(() => handle(data))
    .catch((error: unknown) => fail(data, error))
    .finally(() => waiting--)
}

/** A photo, or its decoder, has not come, or is gone again: nothing is broken. */
class NotThere extends Error {}

function fail(data: ToWorker, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  if (data.kind === 'load') {
    sessions.delete(data.decoderHash)
    tell({ kind: 'not loaded', decoderHash: data.decoderHash, message })
  } else if (data.kind === 'probe') {
    tell({ kind: 'probed', milliseconds: Number.POSITIVE_INFINITY })
  } else if (data.kind === 'prompt' && error instanceof NotThere) {
    tell({ kind: 'not there', photo: data.photo, revision: data.revision })
  } else if (data.kind === 'prompt') {
    tell({ kind: 'failed', photo: data.photo, revision: data.revision, message })
  } else if (data.kind === 'preview') {
    tell({ kind: 'previewed', id: data.id, candidates: [], edges: new Float32Array() })
  }
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'load':
      return load(message.decoderHash, message.model, message.threads)
    case 'probe':
      return probe(message.model, message.threads)
    case 'photo':
      forget(photos, message.photo.photo)
      photos.set(message.photo.photo, loadedOf(message.photo))
      return
    case 'closer':
      forget(closer, message.photo)
      closer.set(message.photo, { ...loadedOf(message.part), region: message.region })
      return
    case 'whole':
      forget(closer, message.photo)
      return
    case 'forget':
      forget(photos, message.photo)
      forget(closer, message.photo)
      newest.delete(message.photo)
      return
    case 'release':
      return release(message.decoderHash)
    case 'prompt':
      if (newest.get(message.photo) === message.revision) await answer(message)
      return
    case 'preview':
      return preview(message)
  }
}

function loadedOf({ embedding, ...about }: Omit<PhotoForDecoder, 'assignment'>): Loaded {
  const floats = rooms.filledWith(embedding)
  return { about, floats, embedding: new ort.Tensor('float32', floats, [1, ...about.embeddingShape]) }
}

/** One message is worked on at a time, so nothing is being decoded of it. */
function forget(all: Map<string, Loaded>, photo: string): void {
  const gone = all.get(photo)
  if (gone) rooms.giveBack(gone.floats)
  all.delete(photo)
}

const RUNS = 4

/** How long a decoder takes with so many threads, at best: on nothing, since what it sees does not change its time. */
async function probe(model: ArrayBuffer, threads: number): Promise<void> {
  const session = await start(model, threads)
  const inputs = session.inputMetadata.map(input => {
    const shape = input.isTensor ? input.shape.map(side => (typeof side === 'number' ? side : 2)) : []
    const zeros = new Float32Array(shape.reduce((all, side) => all * side, 1))
    return [input.name, new ort.Tensor('float32', zeros, shape)] as const
  })
  let milliseconds = Number.POSITIVE_INFINITY
  for (let run = 0; run < RUNS; run++) {
    const began = performance.now()
    await session.run(Object.fromEntries(inputs))
    milliseconds = Math.min(milliseconds, performance.now() - began)
  }
  tell({ kind: 'probed', milliseconds })
}

/** The number of threads is the worker's, once for all. */
function start(model: ArrayBuffer, threads: number): Promise<ort.InferenceSession> {
  ort.env.wasm.numThreads = threads
  return ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  })
}

async function load(decoderHash: string, model: ArrayBuffer, threads: number): Promise<void> {
  let session = sessions.get(decoderHash)
  if (!session) {
    session = start(model, threads)
    sessions.set(decoderHash, session)
  }
  await session
  tell({ kind: 'loaded', decoderHash, threads })
}

async function release(decoderHash: string): Promise<void> {
  const session = sessions.get(decoderHash)
  sessions.delete(decoderHash)
  await (await session)?.release()
}

function transferOf(candidates: readonly Candidate[]): Transferable[] {
  return candidates.flatMap(({ logits, mask }) => [logits.buffer, mask.bits.buffer] as ArrayBuffer[])
}

async function answer(message: Extract<ToWorker, { kind: 'prompt' }>): Promise<void> {
  const { photo, revision, prompts, fedBack, isCloser, correcting } = message
  const began = performance.now()
  const candidates = await decode(photo, prompts, fedBack, isCloser, correcting)
  const milliseconds = performance.now() - began
  tell({ kind: 'answer', photo, revision, candidates, milliseconds }, transferOf(candidates))
}

async function preview({
  id,
  photo,
  prompt,
  isCloser,
}: Extract<ToWorker, { kind: 'preview' }>): Promise<void> {
  const candidates = waiting > 1 ? [] : await decode(photo, [prompt], null, isCloser, null)
  const edges = candidates[0] ? inTurn(edgesOf(candidates[0].mask)) : new Float32Array()
  tell({ kind: 'previewed', id, candidates, edges }, [...transferOf(candidates), edges.buffer])
}

/** The masks that answer prompts, best first. */
async function decode(
  photo: string,
  prompts: readonly Prompt[],
  fedBack: Float32Array | Bitmask | null,
  isCloser: boolean,
  correcting: Correcting | null,
): Promise<Candidate[]> {
  const whole = photos.get(photo)
  const part = isCloser ? closer.get(photo) : undefined
  const loaded = part ?? whole
  const region = part?.region ?? null
  const session = await sessions.get(loaded?.about.decoderHash ?? '')
  if (!whole || !loaded || !session) throw new NotThere()
  const { about, embedding } = loaded
  const side = logitsSide(about.embeddingShape)
  const here = region ? prompts.map(prompt => intoCrop(prompt, region)) : prompts
  const isMask = fedBack !== null && 'bits' in fedBack
  const maskHere = isMask ? (region ? maskIntoCrop(fedBack, region) : fedBack) : null
  const correctingHere = correcting && region ? correctingIntoCrop(correcting, region) : correcting
  const said = maskHere && correctingHere ? promptsToCorrect(correctingHere, maskHere, here) : here
  const { coords, labels } = toModelFrame(said, about.size, about.inputSide)
  // A mask of which nothing lies in the part that was looked at says nothing there.
  const fed = maskHere
    ? areaOf(maskHere)
      ? maskToLogits(maskHere, side, about.inputSide)
      : null
    : (fedBack as Float32Array | null)
  const token = textToken(prompts)
  const channels = about.embeddingShape[0]!
  const result = await session.run({
    // Only decoders of checkpoints that read have this input.
    ...(session.inputNames.includes(TEXT_INPUT) && {
      [TEXT_INPUT]: new ort.Tensor('float32', token, [1, token.length / channels, channels]),
    }),
    image_embedding: embedding,
    point_coords: new ort.Tensor('float32', coords, [1, labels.length, 2]),
    point_labels: new ort.Tensor('float32', labels, [1, labels.length]),
    mask_input: new ort.Tensor('float32', fed ?? new Float32Array(side * side), [1, 1, side, side]),
    has_mask_input: new ort.Tensor('float32', new Float32Array([fed ? 1 : 0]), [1]),
  })
  const logits = result.low_res_logits!.data as Float32Array
  const ious = result.iou_predictions!.data as Float32Array
  const shown = isAmbiguous(prompts) && !fedBack ? [1, 2, 3] : [0]
  const inPhoto = (mask: Bitmask) => {
    if (isMask && correcting) {
      return region
        ? correctedInPart(correcting, fedBack, mask, prompts, region)
        : corrected(correcting, fedBack, mask, prompts)
    }
    return region ? maskFromCrop(mask, region, whole.about.size) : mask
  }
  const candidates = shown.map((channel): Candidate => {
    const own = logits.slice(channel * side * side, (channel + 1) * side * side)
    const tidy = tidied(own, side, about.size, about.inputSide, said)
    const mask = inPhoto(logitsToMask(tidy, side, about.size, about.inputSide))
    return {
      index: channel === 0 ? null : ((channel - 1) as 0 | 1 | 2),
      predictedIou: ious[channel]!,
      stability: stabilityOf(own, side, about.size, about.inputSide),
      logits: own,
      mask,
      runs: runsOf(mask),
      region,
    }
  })
  return candidates.sort((a, b) => b.predictedIou - a.predictedIou)
}
