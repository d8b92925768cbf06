import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ToDrawWorker } from '@/features/workspace/decoder/drawWorker'
import { halvesOf } from '@/features/workspace/decoder/float16'
import { RemoteDecoder } from '@/features/workspace/decoder/remote'
import type { Prompt } from '@/shared/geometry/modelFrame'

class FakeWorker {
  static last: FakeWorker
  heard: ToDrawWorker[] = []
  onerror: (() => void) | null = null
  isEnded = false
  constructor() {
    FakeWorker.last = this
  }
  postMessage(message: ToDrawWorker, transfer: ArrayBuffer[] = []) {
    this.heard.push(structuredClone(message, { transfer }))
  }
  terminate() {
    this.isEnded = true
  }
}

const PHOTO = {
  photo: 'photo',
  assignment: 'lease',
  size: { height: 8, width: 8 },
  inputSide: 8,
  embeddingShape: [1, 2, 2],
  decoderHash: '',
}
const CLICK: Prompt = { kind: 'point', at: { x: 1, y: 1 }, label: 1 }
/** The left half is inside. */
const LOGITS = Float32Array.from({ length: 64 }, (_, at) => (at % 8 < 4 ? 4 : -4))

beforeEach(() => {
  vi.stubGlobal('Worker', FakeWorker)
  vi.stubGlobal('document', { cookie: '' })
  const headers = { 'X-Predicted-Iou': '0.9', 'X-Channels': '0' }
  vi.stubGlobal('fetch', async () => new Response(halvesOf(LOGITS).buffer, { headers }))
})
afterEach(() => vi.unstubAllGlobals())

const untilDrawing = (count: number) => vi.waitFor(() => expect(FakeWorker.last.heard).toHaveLength(count))

test('where the worker that draws breaks, what waits for it is drawn on the page, and all that comes after', async () => {
  const remote = new RemoteDecoder()
  const waiting = [remote.decode(PHOTO, [CLICK], null, null), remote.decode(PHOTO, [CLICK], null, null)]
  await untilDrawing(2)
  FakeWorker.last.onerror!()
  expect(FakeWorker.last.isEnded).toBe(true)
  const after = remote.decode(PHOTO, [CLICK], null, null)
  for (const answer of [...waiting, after]) {
    const [candidate] = await answer
    expect(candidate).toMatchObject({ index: null, predictedIou: 0.9, logits: LOGITS })
    expect(candidate!.mask).toMatchObject({ size: PHOTO.size, box: [0, 0, 4, 8] })
  }
  expect(FakeWorker.last.heard).toHaveLength(2)
})

test('what cannot be drawn on the page either fails, and the next click is answered', async () => {
  const remote = new RemoteDecoder()
  const waiting = remote.decode({ ...PHOTO, size: { height: -1, width: 8 } }, [CLICK], null, null)
  await untilDrawing(1)
  FakeWorker.last.onerror!()
  await expect(waiting).rejects.toThrow()
  expect(await remote.decode(PHOTO, [CLICK], null, null)).toHaveLength(1)
})
