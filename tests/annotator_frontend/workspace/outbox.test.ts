import { beforeEach, expect, test, vi } from 'vitest'
import { type Journal, type Operation, Outbox, type Server } from '@/features/workspace/saving/outbox'
import { ApiError, Unreachable } from '@/shared/api/client'

let said: string[]
let kept: Map<string, Operation>
let failures: Error[]
let server: Server
let journal: Journal
let turn: Promise<void>
let clock: number

const put = (id: string, assignment = 'lease 1'): Operation => ({
  kind: 'put',
  id,
  image: 'photo',
  assignment,
  body: { assignment },
})
const submit = (...masks: string[]): Operation => ({ kind: 'submit', image: 'photo', assignment: 'lease 1', masks })

beforeEach(() => {
  vi.useFakeTimers()
  said = []
  kept = new Map()
  failures = []
  turn = Promise.resolve()
  clock = 0
  const answer = async (what: string) => {
    const failure = failures.shift()
    if (failure) throw failure
    said.push(what)
  }
  server = {
    put: (id, body) => answer(`put ${id} under ${String(body.assignment)}`),
    remove: id => answer(`remove ${id}`),
    submit: (assignment, masks, complete) => answer(`submit ${assignment}: ${masks.join(' ')}${complete ? ', complete' : ''}`),
    skip: (assignment, reason) => answer(`skip ${assignment}: ${reason}`),
    release: assignment => answer(`release ${assignment}`),
    reopen: async () => 'lease 2',
  }
  journal = {
    read: async () => [...kept].sort().map(([name, operation]) => ({ name, operation: structuredClone(operation) })),
    has: async name => kept.has(name),
    write: async ({ name, operation }) => void kept.set(name, structuredClone(operation)),
    remove: async name => void kept.delete(name),
    alone: async send => {
      const mine = turn.then(send)
      turn = mine.catch(() => {})
      await mine
    },
  }
})

const open = () => new Outbox(server, journal, () => ++clock)
const settle = () => vi.advanceTimersByTimeAsync(0)

test('operations are sent in the order in which they were made, and saved is said only then', async () => {
  const outbox = open()
  outbox.add(put('a'))
  outbox.add(submit('a'))
  expect(outbox.state.name).toBe('saving')
  await settle()
  expect(said).toEqual(['put a under lease 1', 'submit lease 1: a'])
  expect(outbox.state).toEqual({ name: 'saved' })
  expect(kept.size).toBe(0)
})

test('a photo submitted as complete is said to be complete, after a reload too', async () => {
  failures = [new Unreachable()]
  open().add({ ...submit('a'), complete: true } as Operation)
  await settle()
  vi.clearAllTimers() // the page is gone
  await open().resume()
  await settle()
  expect(said).toEqual(['submit lease 1: a, complete'])
})

test('what is unsent is in the journal, and a page that opens later sends it', async () => {
  failures = [new Unreachable()]
  open().add(put('a'))
  await settle()
  expect([...kept.values()]).toEqual([put('a')])
  vi.clearAllTimers() // the page is gone
  const later = open()
  await later.resume()
  await settle()
  expect(said).toEqual(['put a under lease 1'])
  expect(kept.size).toBe(0)
})

test('while the server cannot be reached it says so, and tries again by itself', async () => {
  failures = [new Unreachable(), new ApiError(503, 'fault', 'busy')]
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  expect(outbox.state).toMatchObject({ name: 'waiting', unsent: 1 })
  await vi.advanceTimersByTimeAsync(5000)
  expect(outbox.state.name).toBe('saved')
  expect(said).toEqual(['put a under lease 1'])
})

test('an expired login keeps everything until somebody has logged in', async () => {
  failures = [new ApiError(401, 'not_logged_in', 'Log in first.')]
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  expect(outbox.state).toMatchObject({ name: 'waiting', why: 'Log in first.' })
  outbox.kick()
  await settle()
  expect(outbox.state.name).toBe('saved')
})

test('a lease that ran out is taken again, and all that is unsent moves over', async () => {
  failures = [new ApiError(409, 'assignment_not_held', 'It ran out.')]
  const outbox = open()
  outbox.add(put('a'))
  outbox.add(put('b'))
  outbox.add(submit('earlier', 'a', 'b'))
  await settle()
  expect(said).toEqual(['put a under lease 2', 'put b under lease 2', 'submit lease 2: earlier a b'])
})

test('what the server refuses stays, is shown with its reason, and only a person gives it up', async () => {
  failures = [new ApiError(400, 'mask_invalid', 'No mask of this photo.')]
  const outbox = open()
  outbox.add(put('a'))
  outbox.add(put('b'))
  await settle()
  expect(outbox.state).toEqual({ name: 'stuck', unsent: 2, why: 'No mask of this photo.', code: 'mask_invalid' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(said).toEqual([])
  expect(kept.size).toBe(2)
  outbox.dropFirst()
  await settle()
  expect(said).toEqual(['put b under lease 1'])
})

test('two tabs of one person share the journal, and each operation is sent once', async () => {
  failures = [new Unreachable()]
  const first = open()
  first.add(put('a'))
  await settle()
  const second = open()
  await second.resume()
  second.add(put('b'))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(said).toEqual(['put a under lease 1', 'put b under lease 1'])
  expect([first.state.name, second.state.name]).toEqual(['saved', 'saved'])
  expect(kept.size).toBe(0)
})

test('a removal under a lease that ran out goes on under the new one', async () => {
  failures = [new ApiError(409, 'assignment_not_held', 'It ran out.')]
  const outbox = open()
  const moved: string[] = []
  outbox.onMoved = (from, to) => moved.push(`${from} to ${to}`)
  outbox.add({ kind: 'remove', id: 'a', image: 'photo', assignment: 'lease 1' })
  outbox.add(put('b'))
  await settle()
  expect(said).toEqual(['remove a', 'put b under lease 2'])
  expect(moved).toEqual(['lease 1 to lease 2'])
})

test('giving a photo back waits for its masks, and a lease that is over is what it wanted', async () => {
  const outbox = open()
  outbox.add(put('a'))
  outbox.add({ kind: 'release', image: 'photo', assignment: 'lease 1' })
  expect(outbox.closing()).toEqual(['lease 1'])
  await settle()
  expect(said).toEqual(['put a under lease 1', 'release lease 1'])
  failures = [new ApiError(409, 'assignment_not_held', 'It ran out.')]
  outbox.add({ kind: 'skip', image: 'photo', assignment: 'lease 1', reason: 'Not for me' })
  await settle()
  expect(outbox.state.name).toBe('saved')
})

test('a photo can be submitted without the mask that was given up', async () => {
  failures = [new ApiError(400, 'mask_invalid', 'No mask of this photo.')]
  const outbox = open()
  outbox.add(put('a'))
  outbox.add(put('b'))
  outbox.add(submit('a', 'b'))
  await settle()
  outbox.dropFirst()
  await settle()
  expect(said.at(-1)).toBe('submit lease 1: b')
})

test('what was done on a photo is known, whether the server has heard of it or not', async () => {
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  failures = [new Unreachable()]
  outbox.add({ kind: 'remove', id: 'a', image: 'photo', assignment: 'lease 1' })
  await settle()
  expect(outbox.operationsOn('photo').map(({ kind }) => kind)).toEqual(['put', 'remove'])
  expect(outbox.operationsOn('another')).toEqual([])
})

test('a browser that keeps nothing is told of when something cannot be sent', async () => {
  journal.write = async () => {
    throw new Error('disk full')
  }
  failures = [new Unreachable()]
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  expect(outbox.state).toMatchObject({ name: 'waiting', unsent: 1 })
  expect((outbox.state as { why: string }).why).toContain('disk full')
  await vi.advanceTimersByTimeAsync(2000)
  expect(said).toEqual(['put a under lease 1'])
})
