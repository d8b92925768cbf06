import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DecoderClient } from '@/features/workspace/decoder/client'
import type { FromWorker, ToWorker } from '@/features/workspace/decoder/protocol'
import { Unreachable } from '@/shared/api/client'
import { areaOf, type Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'

/** Takes what it is told, and says what a test wants it to say. */
class Recorder {
  static all: Recorder[] = []
  told: ToWorker[] = []
  isGone = false
  onmessage: ((event: { data: FromWorker }) => void) | null = null
  onerror: unknown = null
  constructor() {
    Recorder.all.push(this)
  }
  postMessage(message: ToWorker) {
    if (!this.isGone) this.told.push(message)
  }
  terminate() {
    this.isGone = true
  }
  say(data: FromWorker) {
    this.onmessage!({ data })
  }
}

const CLICK: Prompt = { kind: 'point', at: { x: 1, y: 1 }, label: 1 }
const MASK: Bitmask = { size: { height: 1, width: 1 }, box: [0, 0, 1, 1], bits: new Uint8Array([1]) }
const photo = (name: string, decoderHash = 'a') => ({
  photo: name,
  assignment: `lease of ${name}`,
  size: { height: 4, width: 4 },
  inputSide: 4,
  embeddingShape: [1, 1, 1],
  embedding: new ArrayBuffer(2),
  decoderHash,
})

let fetched: string[]

beforeEach(() => {
  fetched = []
  Recorder.all = []
  vi.stubGlobal('Worker', Recorder)
  vi.stubGlobal('self', { crossOriginIsolated: false })
  vi.stubGlobal('document', { cookie: '' })
  vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => {} })
  vi.stubGlobal('fetch', async (url: string | Request) => {
    fetched.push(typeof url === 'string' ? url : url.url)
    return new Response(new ArrayBuffer(8))
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const asked = (worker: Recorder) => worker.told.filter(({ kind }) => kind === 'prompt')
const untilTold = (worker: Recorder, kind: ToWorker['kind']) =>
  vi.waitFor(() => expect(worker.told.some(message => message.kind === kind)).toBe(true))

test('a question that comes before the photo is asked when the photo is there, and only the newest', () => {
  const client = new DecoderClient()
  const worker = Recorder.all[0]!
  client.prompt('one', 1, [CLICK], null, null)
  client.prompt('one', 2, [CLICK, CLICK], null, null)
  client.prompt('two', 3, [CLICK], null, null)
  expect(worker.told).toEqual([])
  client.addPhoto(photo('one'))
  expect(asked(worker)).toMatchObject([{ photo: 'one', revision: 2 }])
  client.forgetPhoto('two')
  client.addPhoto(photo('two'))
  expect(asked(worker)).toHaveLength(1)
})

test('a photo that the worker does not have is no reason to go to the server, one that it lost is', () => {
  const client = new DecoderClient()
  const worker = Recorder.all[0]!
  worker.say({ kind: 'not there', photo: 'gone', revision: 1 })
  expect(client.step.get().where).toBe('browser')
  client.addPhoto(photo('lost'))
  client.prompt('lost', 2, [CLICK], null, null)
  worker.say({ kind: 'not there', photo: 'lost', revision: 2 })
  expect(client.step.get().where).toBe('server')
  expect(fetched).toEqual(['/api/assignments/lease of lost/decode/'])
})

/** On the server, with what the listener was told. */
function onServer() {
  vi.useFakeTimers()
  const client = new DecoderClient()
  const answered: number[] = []
  const failed: (string | number | null)[] = []
  client.listen({
    onAnswer: (_, revision) => answered.push(revision),
    onPreview: () => {},
    onFailure: (_, revision, message) => failed.push(revision, message),
  })
  client.addPhoto(photo('one'))
  Recorder.all[0]!.say({ kind: 'failed', photo: 'one', revision: 0, message: 'out of memory' })
  const drawer = Recorder.all[1]!
  drawer.postMessage = (message: unknown) => drawer.say({ id: (message as { id: number }).id, candidates: [] } as never)
  return { client, answered, failed }
}
const logits = () =>
  new Response(new ArrayBuffer(32), { headers: { 'X-Predicted-Iou': '0.9', 'X-Channels': '0' } })
/** The server, or the network, answers as these say, one after the other, and well after that. */
function answering(...replies: (() => Response)[]): void {
  vi.stubGlobal('fetch', async (url: string) => {
    fetched.push(url)
    return (replies.shift() ?? logits)()
  })
}
const unreached = (): never => {
  throw new TypeError('network error')
}
const refusing = (status: number, code: string) => () => Response.json({ code, message: 'Not now.' }, { status })

test('a click that the server could not answer for a while is answered once it can, and the page says what it waits for', async () => {
  const { client, answered, failed } = onServer()
  answering(unreached, refusing(503, 'busy'), refusing(401, 'expired'))
  client.prompt('one', 1, [CLICK], null, null)
  await vi.advanceTimersByTimeAsync(0)
  expect(client.hindrance.get()).toBe('The server cannot be reached.')
  await vi.advanceTimersByTimeAsync(2000)
  expect([client.hindrance.get(), answered]).toEqual(['Not now.', []])
  await vi.advanceTimersByTimeAsync(4000)
  expect([client.hindrance.get(), answered, failed]).toEqual([null, [1], []])
})

test('a newer click takes the place of one that is asked again, at once and under the lease of now', async () => {
  const { client, answered, failed } = onServer()
  answering(unreached)
  client.prompt('one', 1, [CLICK], null, null)
  await vi.advanceTimersByTimeAsync(0)
  client.moved('one', 'newer lease')
  client.prompt('one', 2, [CLICK, CLICK], null, null)
  await vi.advanceTimersByTimeAsync(0)
  expect([answered, client.hindrance.get()]).toEqual([[2], null])
  await vi.advanceTimersByTimeAsync(10_000)
  expect([answered, failed]).toEqual([[2], []])
  expect(fetched).toEqual(['lease of one', 'newer lease'].map(lease => `/api/assignments/${lease}/decode/`))
})

test('what the server refuses for good is told of, and a photo that is left is not asked about again', async () => {
  const { client, answered, failed } = onServer()
  answering(refusing(400, 'invalid'), unreached)
  client.prompt('one', 1, [CLICK], null, null)
  await vi.advanceTimersByTimeAsync(5000)
  expect([failed, answered, client.hindrance.get()]).toEqual([[1, 'Not now.'], [], null])
  client.prompt('one', 2, [CLICK], null, null)
  await vi.advanceTimersByTimeAsync(0)
  expect(client.hindrance.get()).not.toBeNull()
  client.forgetPhoto('one')
  await vi.advanceTimersByTimeAsync(10_000)
  expect([fetched.length, answered, client.hindrance.get()]).toEqual([2, [], null])
})

test('what waits for a decoder goes on when the server takes over', async () => {
  const client = new DecoderClient()
  const worker = Recorder.all[0]!
  const loading = client.load('b', '/b.onnx')
  await untilTold(worker, 'load')
  worker.say({ kind: 'failed', photo: 'one', revision: 1, message: 'out of memory' })
  await loading
  expect(client.step.get()).toEqual({ where: 'server', why: 'out of memory' })
  await client.load('c', '/c.onnx')
  client.prompt('two', 4, [CLICK], null, null)
  client.addPhoto(photo('two', 'b'))
  expect(fetched.at(-1)).toBe('/api/assignments/lease of two/decode/')
})

test('a decoder that no held photo needs is released, once there is another', async () => {
  const client = new DecoderClient()
  const worker = Recorder.all[0]!
  const released = () => worker.told.filter(({ kind }) => kind === 'release')
  const load = async (decoderHash: string) => {
    const before = worker.told.length
    const loading = client.load(decoderHash, `/${decoderHash}.onnx`)
    await vi.waitFor(() => expect(worker.told.length).toBeGreaterThan(before))
    worker.say({ kind: 'loaded', decoderHash, threads: 1 })
    await loading
  }
  await load('a')
  client.addPhoto(photo('one', 'a'))
  client.forgetPhoto('one')
  expect(released()).toEqual([])
  client.addPhoto(photo('two', 'a'))
  client.addPhoto(photo('three', 'a'))
  await load('b')
  client.addPhoto(photo('four', 'b'))
  client.forgetPhoto('two')
  expect(released()).toEqual([])
  client.forgetPhoto('three')
  expect(released()).toEqual([{ kind: 'release', decoderHash: 'a' }])
  await load('a') // it is fetched again, should a photo need it
})

test('a decoder whose file broke off on the way is fetched again, and the browser goes on answering', async () => {
  const client = new DecoderClient()
  const worker = Recorder.all[0]!
  const broken = new ReadableStream({ start: stream => stream.error(new TypeError('network error')) })
  const files = [new Response(broken), new Response(new ArrayBuffer(8))]
  vi.stubGlobal('fetch', async () => files.shift())
  await expect(client.load('a', '/a.onnx')).rejects.toThrow(Unreachable)
  expect(client.step.get().where).toBe('browser')
  const loading = client.load('a', '/a.onnx')
  await untilTold(worker, 'load')
  worker.say({ kind: 'loaded', decoderHash: 'a', threads: 1 })
  await loading
  expect(client.step.get().where).toBe('browser')
})

test('the runs that the worker found are not searched for again', () => {
  new DecoderClient().know([
    {
      index: null,
      predictedIou: 1,
      stability: 1,
      logits: new Float32Array(1),
      mask: MASK,
      runs: { box: [0, 0, 5, 1], rows: Uint32Array.of(0, 2), turns: Uint32Array.of(0, 12_345) },
      region: null,
    },
  ])
  expect(areaOf(MASK)).toBe(12_345)
})
