import { beforeEach, expect, test, vi } from 'vitest'
import { type Entry, type Journal, type Leased, type Operation, Outbox, type Server } from '@/features/workspace/saving/outbox'
import { ApiError, answer, api, Unreachable } from '@/shared/api/client'

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
const lease2 = { id: 'lease 2', masks: [{ id: 'of somebody else' }] } as unknown as Leased
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
    reopen: async () => lease2,
    succeed: async () => null,
    take: async () => 'this window',
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

const open = () => new Outbox(() => server, journal, () => ++clock)
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

test('who gives a refused mask up is told which it was, and what is on the photo in its place', async () => {
  failures = [new ApiError(400, 'invalid', 'No.')]
  const outbox = open()
  const dropped: unknown[] = []
  outbox.onDropped = (...what) => dropped.push(what)
  outbox.add({ ...put('b'), body: { assignment: 'lease 1', replaces: 'a' } } as Operation)
  outbox.add(submit('b', 'c'))
  await settle()
  expect([outbox.state.name, dropped]).toEqual(['stuck', []])
  await outbox.dropFirst()
  await settle()
  expect(dropped).toEqual([['photo', 'b', 'a']])
  expect(said).toEqual(['submit lease 1: c'])
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

test('a mask whose answer broke off, or was no answer of the server’s, is sent again', async () => {
  const broken = new ReadableStream({ start: stream => stream.error(new TypeError('network error')) })
  const answers = [new Response(broken), new Response('<p>Log in first</p>'), Response.json({})]
  vi.stubGlobal('fetch', async () => answers.shift())
  server.put = async id => {
    await answer(api.GET('/api/session/', { baseUrl: 'http://here/' }))
    said.push(`put ${id}`)
  }
  const outbox = open()
  outbox.add(put('a'))
  await vi.advanceTimersByTimeAsync(0)
  expect(outbox.state.name).toBe('waiting')
  await vi.advanceTimersByTimeAsync(5000)
  expect([said, outbox.state.name]).toEqual([['put a'], 'saved'])
  vi.unstubAllGlobals()
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
  expect(outbox.state).toMatchObject({ name: 'stuck', unsent: 2, why: 'No mask of this photo.', code: 'mask_invalid' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(said).toEqual([])
  expect(kept.size).toBe(2)
  outbox.dropFirst()
  await settle()
  expect(said).toEqual(['put b under lease 1'])
})

test('who may not write to a photo any more can give up all of it at once, and nothing of another photo', async () => {
  const gone = new ApiError(404, 'not_found', 'There is no such photo.')
  server.put = async () => {
    throw gone
  }
  const outbox = open()
  const dropped: string[] = []
  outbox.onDropped = (_, id) => dropped.push(id)
  outbox.add(put('a'))
  outbox.add(put('b'))
  outbox.add(submit('a', 'b'))
  outbox.add({ ...put('c'), image: 'another photo' } as Operation)
  await settle()
  const { state } = outbox
  if (state.name !== 'stuck') throw new Error(state.name)
  const kinds = (entries: readonly Entry[]) => entries.map(({ operation }) => operation.kind)
  expect(kinds(state.held)).toEqual(['put', 'put', 'submit'])
  expect(said).toEqual([])
  await outbox.giveUp(state.held)
  await settle()
  expect([dropped, said, kept.size]).toEqual([['a', 'b'], [], 1])
})

test('of what is given up that is left alone which was sent meanwhile', async () => {
  failures = [new ApiError(400, 'mask_invalid', 'No.')]
  const outbox = open()
  outbox.add(put('a'))
  outbox.add(put('b'))
  await settle()
  const { state } = outbox
  if (state.name !== 'stuck') throw new Error(state.name)
  outbox.kick()
  await settle()
  await outbox.giveUp(state.held)
  expect(said).toEqual(['put a under lease 1', 'put b under lease 1'])
  expect(outbox.state).toEqual({ name: 'saved' })
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
  const moved: unknown[] = []
  outbox.onMoved = (from, to) => moved.push([from, to])
  outbox.add({ kind: 'remove', id: 'a', image: 'photo', assignment: 'lease 1' })
  outbox.add(put('b'))
  await settle()
  expect(said).toEqual(['remove a', 'put b under lease 2'])
  expect(moved).toEqual([['lease 1', { ...lease2, asOf: 0 }]]) // with the masks that are there by now
})

test('a photo whose lease ran out is taken again before anything has to be sent', async () => {
  const outbox = open()
  const moved: string[] = []
  outbox.onMoved = (from, to) => moved.push(`${from} to ${to.id}`)
  outbox.add(put('a'))
  await settle()
  expect(await outbox.reopen('photo', 'lease 1')).toBe(true)
  expect(await outbox.reopen('photo', 'lease 2')).toBe(false)
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
  outbox.add({ kind: 'release', image: 'photo', assignment: 'lease 1' })
  await settle()
  expect(outbox.state.name).toBe('saved')
  expect(said).toHaveLength(2)
})

test('a skip under a lease that ran out is written down under a new one, so that the photo does not come again', async () => {
  failures = [new ApiError(409, 'assignment_not_held', 'It ran out.')]
  const outbox = open()
  outbox.add({ kind: 'skip', image: 'photo', assignment: 'lease 1', reason: 'Not for me' })
  await settle()
  expect(said).toEqual(['skip lease 2: Not for me'])
  expect(outbox.state.name).toBe('saved')
  expect(kept.size).toBe(0)
})

test('a skip of a photo that somebody else has by now waits for nobody', async () => {
  failures = [new ApiError(409, 'assignment_not_held', 'It ran out.')]
  server.reopen = async () => {
    throw new ApiError(409, 'assignment_not_held', 'Somebody else has it.')
  }
  const outbox = open()
  outbox.add({ kind: 'skip', image: 'photo', assignment: 'lease 1', reason: 'Not for me' })
  await settle()
  expect(outbox.state.name).toBe('saved')
  expect(said).toEqual([])
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
  expect(outbox.state).toMatchObject({ name: 'waiting', unsent: 1, unkept: 'disk full' })
  await vi.advanceTimersByTimeAsync(2000)
  expect(said).toEqual(['put a under lease 1'])
})

test('what the server refuses on one photo does not hold up the others', async () => {
  failures = [new ApiError(409, 'assignment_not_held', 'Somebody else has it.')]
  server.reopen = async () => {
    throw new ApiError(409, 'assignment_not_held', 'Somebody else has it.')
  }
  const outbox = open()
  outbox.add(put('a'))
  outbox.add({ ...put('c'), image: 'another photo' })
  outbox.add(put('b'))
  await settle()
  expect(said).toEqual(['put c under lease 1'])
  expect(outbox.state).toMatchObject({
    name: 'stuck',
    unsent: 2,
    why: 'Somebody else has it.',
    code: 'assignment_not_held',
  })
  expect(kept.size).toBe(2)
  outbox.add({ ...put('d'), image: 'another photo' })
  await settle()
  expect(said.at(-1)).toBe('put d under lease 1')
  server.reopen = async () => lease2
  outbox.kick() // a person tries again
  await settle()
  expect(said.slice(2)).toEqual(['put a under lease 1', 'put b under lease 1'])
  expect(outbox.state.name).toBe('saved')
})

const elsewhere = () => new ApiError(409, 'assignment_in_another_tab', 'Open in another window.', { tab: 'window 2' })

/** An outbox of window 1; what is said begins with the window under whose name it is said. */
function openAsWindow1() {
  const serverOf = (tab: string | undefined): Server => ({
    ...server,
    put: async (id, body) => {
      await server.put(id, body)
      said.push(`as ${tab}: ${said.pop()}`)
    },
    submit: async (assignment, masks, complete) => {
      await server.submit(assignment, masks, complete)
      said.push(`as ${tab}: ${said.pop()}`)
    },
  })
  return new Outbox(serverOf, journal, () => ++clock, () => 'window 1')
}

test('work on a photo that another window took over is kept, and saved when a person takes the photo back', async () => {
  failures = [elsewhere()]
  server.take = async assignment => {
    said.push(`take ${assignment}`)
    return 'window 1'
  }
  const outbox = openAsWindow1()
  outbox.add(put('a'))
  outbox.add(submit('a'))
  await settle()
  expect(outbox.state).toMatchObject({ name: 'stuck', code: 'assignment_in_another_tab', unsent: 2 })
  expect([said, kept.size]).toEqual([[], 2])
  await outbox.takeOver()
  await settle()
  expect(said).toEqual(['take lease 1', 'as window 1: put a under lease 1', 'as window 1: submit lease 1: a'])
  expect(outbox.state.name).toBe('saved')
})

test('what a window left unsent that is gone is sent by the one that takes its place', async () => {
  kept.set('000000000000000-000000', { ...put('a'), tab: 'window 0' })
  failures = [elsewhere()]
  server.succeed = async (assignment, holder) => {
    said.push(`${assignment} of ${holder}`)
    return 'window 1'
  }
  const outbox = openAsWindow1()
  await outbox.resume()
  await settle()
  expect(said).toEqual(['lease 1 of window 2', 'as window 1: put a under lease 1'])
  expect(kept.size).toBe(0)
})

test('what the window that took a photo over has sent or given up is not sent again here', async () => {
  failures = [elsewhere()]
  const outbox = openAsWindow1()
  outbox.add(put('a'))
  await settle()
  expect(outbox.state.name).toBe('stuck')
  kept.clear() // the other window has
  outbox.add({ ...put('b'), image: 'another photo' })
  await settle()
  expect(said).toEqual(['as window 1: put b under lease 1'])
  expect(outbox.state.name).toBe('saved')
})

test('a window that only looked gives nothing back', async () => {
  failures = [elsewhere()]
  const outbox = openAsWindow1()
  outbox.add({ kind: 'release', image: 'photo', assignment: 'lease 1' })
  await settle()
  expect(outbox.state.name).toBe('saved')
})

test('entries of the journal that an earlier version wrote are sent, and those of a later one are kept', async () => {
  // As they were written before operations had a tab, and before submissions had `complete`.
  kept.set('000001700000000-000000', put('a'))
  kept.set('000001700000000-000001', submit('a'))
  kept.set('000001700000000-000002', { kind: 'rotate', image: 'photo', assignment: 'lease 1' } as unknown as Operation)
  const outbox = openAsWindow1()
  await outbox.resume()
  await settle()
  expect(said).toEqual(['as undefined: put a under lease 1', 'as undefined: submit lease 1: a'])
  expect(outbox.state).toMatchObject({ name: 'stuck', unsent: 1, code: 'unknown_operation' })
  expect(kept.size).toBe(1)
})

test('a page whose work nobody else keeps says so, so that it is not closed', async () => {
  const outbox = open()
  expect(outbox.isOnlyHere).toBe(false)
  journal.write = async () => {
    throw new Error('disk full')
  }
  failures = [new Unreachable()]
  outbox.add(put('a'))
  await settle()
  expect(outbox.isOnlyHere).toBe(true)
})

test('when a mask is given up, the one that took its place takes the place of what it had replaced', async () => {
  const outbox = open()
  const replacing = (id: string, replaces: string): Operation => {
    const operation = put(id)
    return operation.kind === 'put' ? { ...operation, body: { ...operation.body, replaces } } : operation
  }
  failures = [new ApiError(400, 'mask_refused', 'No.', {})]
  outbox.add(replacing('b', 'a'))
  outbox.add(replacing('c', 'b'))
  await settle()
  const sent: unknown[] = []
  server.put = async (id, body) => void sent.push([id, body.replaces])
  outbox.dropFirst()
  await settle()
  expect(sent).toEqual([['c', 'a']])
})

test('a mask that the browser could not keep is sent all the same, though it kept the next one', async () => {
  const write = journal.write
  journal.write = async entry => {
    journal.write = write
    throw new Error(`no room for ${entry.name}`)
  }
  const outbox = open()
  failures = [new Unreachable()]
  outbox.add(put('a'))
  outbox.add(put('b'))
  await settle()
  expect([outbox.isOnlyHere, kept.size]).toEqual([true, 1])
  outbox.kick()
  await settle()
  expect(said).toEqual(['put a under lease 1', 'put b under lease 1'])
  expect(outbox.state.name).toBe('saved')
})

test('giving up what was sent meanwhile gives nothing else up', async () => {
  failures = [new Unreachable()]
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  outbox.dropFirst()
  outbox.kick()
  await settle()
  expect(said).toEqual(['put a under lease 1'])
})

test('of what the server has confirmed only that counts which it may not have told of, and nothing after the photo is closed', async () => {
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  const asOf = outbox.confirmations
  outbox.add(put('b'))
  await settle()
  const since = outbox.operationsOn('photo', asOf)
  expect(since.map(operation => 'id' in operation && operation.id)).toEqual(['b'])
  outbox.add(submit('a', 'b'))
  await settle()
  expect(outbox.operationsOn('photo')).toEqual([])
})

test('a photo that others have to decide about first is given back instead, and the rest of it stays saved', async () => {
  const outbox = open()
  outbox.add(put('a'))
  await settle()
  failures = [new ApiError(409, 'masks_undecided', 'People have not agreed yet.', { image: 'photo', dataset: 'd' })]
  outbox.add({ kind: 'submit', image: 'photo', assignment: 'lease 1', masks: ['a'] })
  await settle()
  expect(outbox.state).toMatchObject({ name: 'stuck', code: 'masks_undecided', extra: { dataset: 'd' } })
  outbox.giveBackFirst()
  await settle()
  expect(outbox.state).toEqual({ name: 'saved' })
  expect(said.at(-1)).toContain('release')
  expect(said.some(one => one.startsWith('submit'))).toBe(false)
})

test('who waits until all is sent waits for what came last, and for nothing where the server is not to be reached', async () => {
  const outbox = open()
  const order: string[] = []
  outbox.add(put('a'))
  const release = (assignment: string) => outbox.add({ kind: 'release', image: assignment, assignment })
  server.put = async id => {
    said.push(`put ${id}`)
    release('lease 2') // while it is being sent
  }
  release('lease 1')
  void outbox.settled().then(() => order.push(...said, 'gone'))
  await settle()
  expect(order).toEqual(['put a', 'release lease 1', 'release lease 2', 'gone'])
  failures = [new Unreachable()]
  release('lease 3')
  void outbox.settled().then(() => order.push('gone again'))
  await settle()
  expect(order.at(-1)).toBe('gone again')
  expect([...kept.values()]).toMatchObject([{ assignment: 'lease 3' }]) // a later page gives it back
})
