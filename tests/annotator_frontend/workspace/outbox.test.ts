import { beforeEach, expect, test, vi } from 'vitest'
import { type Journal, type Operation, Outbox, type Server } from '@/features/workspace/saving/outbox'
import { ApiError, Unreachable } from '@/shared/api/client'

let said: string[]
let kept: Operation[]
let failures: Error[]
let server: Server
let journal: Journal

const put = (id: string, assignment = 'lease 1'): Operation => ({
  kind: 'put',
  id,
  image: 'photo',
  assignment,
  body: { assignment },
})

beforeEach(() => {
  vi.useFakeTimers()
  said = []
  kept = []
  failures = []
  const answer = async (what: string) => {
    const failure = failures.shift()
    if (failure) throw failure
    said.push(what)
  }
  server = {
    put: (id, body) => answer(`put ${id} under ${String(body.assignment)}`),
    remove: id => answer(`remove ${id}`),
    submit: (assignment, masks) => answer(`submit ${assignment}: ${masks.join(' ')}`),
    reopen: async () => 'lease 2',
  }
  journal = {
    read: async () => structuredClone(kept),
    write: async operations => {
      kept = structuredClone([...operations])
    },
  }
})

const settle = () => vi.advanceTimersByTimeAsync(0)

test('operations are sent in the order in which they were made, and saved is said only then', async () => {
  const outbox = new Outbox(server, journal)
  outbox.add(put('a'))
  outbox.add({ kind: 'submit', image: 'photo', assignment: 'lease 1', masks: ['a'] })
  expect(outbox.state.name).toBe('saving')
  await settle()
  expect(said).toEqual(['put a under lease 1', 'submit lease 1: a'])
  expect(outbox.state).toEqual({ name: 'saved' })
  expect(kept).toEqual([])
})

test('what is unsent is in the journal, and a page that opens later sends it', async () => {
  failures = [new Unreachable()]
  new Outbox(server, journal).add(put('a'))
  await settle()
  expect(kept.map(operation => operation.kind === 'put' && operation.id)).toEqual(['a'])
  vi.clearAllTimers() // the page is gone
  const later = new Outbox(server, journal)
  await later.resume()
  await settle()
  expect(said).toEqual(['put a under lease 1'])
  expect(kept).toEqual([])
})

test('while the server cannot be reached it says so, and tries again by itself', async () => {
  failures = [new Unreachable(), new ApiError(503, 'fault', 'busy')]
  const outbox = new Outbox(server, journal)
  outbox.add(put('a'))
  await settle()
  expect(outbox.state).toMatchObject({ name: 'waiting', unsent: 1 })
  await vi.advanceTimersByTimeAsync(5000)
  expect(outbox.state.name).toBe('saved')
  expect(said).toEqual(['put a under lease 1'])
})

test('an expired login keeps everything until somebody has logged in', async () => {
  failures = [new ApiError(401, 'not_logged_in', 'Log in first.')]
  const outbox = new Outbox(server, journal)
  outbox.add(put('a'))
  await settle()
  expect(outbox.state).toMatchObject({ name: 'waiting', why: 'Log in first.' })
  outbox.kick()
  await settle()
  expect(outbox.state.name).toBe('saved')
})

test('a lease that ran out is taken again, and all that is unsent moves over', async () => {
  failures = [new ApiError(409, 'assignment_not_held', 'It ran out.')]
  const outbox = new Outbox(server, journal)
  outbox.add(put('a'))
  outbox.add(put('b'))
  outbox.add({ kind: 'submit', image: 'photo', assignment: 'lease 1', masks: ['earlier', 'a', 'b'] })
  await settle()
  expect(said).toEqual(['put a under lease 2', 'put b under lease 2', 'submit lease 2: earlier a b'])
})

test('what the server refuses stays, is shown with its reason, and only a person gives it up', async () => {
  failures = [new ApiError(400, 'mask_invalid', 'No mask of this photo.')]
  const outbox = new Outbox(server, journal)
  outbox.add(put('a'))
  outbox.add(put('b'))
  await settle()
  expect(outbox.state).toEqual({ name: 'stuck', unsent: 2, why: 'No mask of this photo.', code: 'mask_invalid' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(said).toEqual([])
  expect(kept).toHaveLength(2)
  outbox.dropFirst()
  await settle()
  expect(said).toEqual(['put b under lease 1'])
})
