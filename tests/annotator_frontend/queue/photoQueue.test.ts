import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Assignment, PhotoQueue, type Reason } from '@/features/queue/photoQueue'
import { Presence } from '@/features/queue/presence'
import { ApiError, Unreachable } from '@/shared/api/client'

const MINUTE = 60_000

let photos: string[]
let reason: Reason
let failures: Error[]
let asked: string[][]
let renewed: string[]
let expired: Set<string>
let lost: string[]
let left: string[]
let said: unknown[]
let unsent: boolean
let closing: string[]
let presence: Presence
let queue: PhotoQueue

const lease = (image: string) => ({ id: `lease of ${image}`, image: { id: image }, masks: [] }) as unknown as Assignment

function open(image: string | null = null): PhotoQueue {
  const server = {
    next: async (besides: string[]) => {
      asked.push(besides)
      const failure = failures.shift()
      if (failure) throw failure
      const photo = photos.shift()
      return photo ? { assignment: lease(photo), reason: null } : { assignment: null, reason }
    },
    open: async (wanted: string) => {
      const failure = failures.shift()
      if (failure) throw failure
      return lease(wanted)
    },
    renew: async (id: string) => {
      if (expired.has(id)) throw new ApiError(409, 'assignment_not_held', 'It ran out.')
      renewed.push(id)
    },
  }
  queue = new PhotoQueue(server, image, {
    closing: () => closing,
    asOf: () => 7,
    isAway: () => presence.isAway && !unsent,
    isOwn: () => true,
    onLeave: held => left.push(...held.map(({ id }) => id)),
    onLost: ({ id }) => lost.push(id),
    onError: error => said.push(error),
  })
  queue.start()
  return queue
}

const shown = () => queue.getState().held.map(({ image: { id } }) => id)
const pass = (milliseconds = 100) => vi.advanceTimersByTimeAsync(milliseconds)
/** Somebody works on, for so many minutes. */
async function work(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    presence.touch()
    await pass(MINUTE)
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  photos = ['a', 'b', 'c', 'd']
  reason = 'nothing_left'
  ;[failures, asked, renewed, lost, left, said, closing] = [[], [], [], [], [], [], []]
  expired = new Set()
  unsent = false
  presence = new Presence(() => queue.goOn())
})
afterEach(() => {
  queue.stop()
  vi.useRealTimers()
})

test('three photos are leased, one after the other, and the next one as soon as one is done', async () => {
  open()
  await pass()
  expect(shown()).toEqual(['a', 'b', 'c'])
  expect(asked.at(-1)).toEqual(['lease of a', 'lease of b'])
  expect(queue.getState().held[0]!.asOf).toBe(7)
  queue.advance(queue.getState().held[0]!)
  expect(shown()).toEqual(['b', 'c'])
  await pass()
  expect(shown()).toEqual(['b', 'c', 'd'])
  expect(asked.at(-1)).toContain('lease of a')
})

test('the photo that was asked for comes first; where it is not to be had, whichever comes, and why is said', async () => {
  open('z')
  await pass()
  expect(shown()).toEqual(['z', 'a', 'b'])
  queue.stop()
  failures = [new ApiError(409, 'assignment_elsewhere', 'Somebody has it.')]
  open('y')
  await pass()
  expect(shown()).toEqual(['c', 'd'])
  expect(said).toHaveLength(1)
})

test('a server that is not reached is asked again', async () => {
  failures = [new Unreachable()]
  open()
  await pass()
  expect(shown()).toEqual([])
  await pass(15_000)
  expect(shown()).toEqual(['a', 'b', 'c'])
})

test('what was just submitted does not come once more, and while it is on its way the queue is not empty yet', async () => {
  photos = ['a']
  closing = ['lease of a']
  reason = 'too_many_open'
  open()
  await pass(1000)
  expect([shown(), queue.getState().reason]).toEqual([[], null])
  expect(asked.length).toBeGreaterThan(2)
  expect(asked.at(-1)).toEqual(['lease of a'])
  closing = []
  photos = ['b']
  await pass(1000)
  expect(shown()).toEqual(['b'])
})

test('a photo that comes when the page has been left goes back, and so do those that it held', async () => {
  open()
  await pass()
  queue.advance(queue.getState().held[0]!)
  queue.stop()
  await pass()
  expect(left).toEqual(['lease of b', 'lease of c', 'lease of d'])
})

test('a lease that was taken again keeps its place and the model that the photo was opened with', async () => {
  open()
  await pass()
  queue.replace({ ...queue.getState().held[0]!, checkpoint: 'old' } as never)
  queue.move('lease of a', { ...lease('a'), id: 'again', checkpoint: 'new' } as never)
  expect(queue.getState().held[0]).toMatchObject({ id: 'again', checkpoint: 'old', image: { id: 'a' } })
})

describe('every photo is labelled', () => {
  beforeEach(async () => {
    photos = []
    open()
    await pass()
    expect(queue.getState()).toEqual({ held: [], reason: 'nothing_left' })
  })

  test('until the dataset changes: then the page asks, once for many changes, and goes on by itself', async () => {
    const before = asked.length
    photos = ['new']
    for (let change = 0; change < 20; change++) queue.changed()
    await pass(5000)
    expect(shown()).toEqual(['new'])
    expect(queue.getState().reason).toBeNull()
    expect(asked.length).toBeLessThanOrEqual(before + 2)
  })

  test('and while a photo is at hand no change asks', async () => {
    photos = ['new']
    queue.changed()
    await pass(5100)
    const before = asked.length
    queue.changed()
    await pass(10_000)
    expect(asked).toHaveLength(before)
  })
})

describe('leases', () => {
  beforeEach(async () => {
    open()
    await pass()
  })

  test('are renewed while somebody is there', async () => {
    await work(60)
    expect(renewed.filter(id => id === 'lease of a').length).toBeGreaterThanOrEqual(14)
  })

  test('are not renewed for who has been away for a quarter of an hour, and no photo is asked for', async () => {
    presence.touch()
    await pass(15 * MINUTE)
    const [before, questions] = [renewed.length, asked.length]
    queue.changed()
    queue.advance(queue.getState().held[2]!)
    await pass(10 * 60 * MINUTE)
    expect([renewed.length, asked.length]).toEqual([before, questions])
  })

  test('are renewed all night where what was made waits to be sent', async () => {
    unsent = true
    await pass(8 * 60 * MINUTE)
    expect(renewed.length).toBeGreaterThan(300)
  })

  test('that ran out meanwhile are noticed with the first move: the photo at hand is told of, those ahead make room', async () => {
    presence.touch()
    await pass(60 * MINUTE)
    expired = new Set(['lease of a', 'lease of b'])
    renewed = []
    presence.touch()
    await pass()
    expect(lost).toEqual(['lease of a'])
    expect(renewed).toContain('lease of c')
    expect(shown()).toEqual(['a', 'c', 'd'])
  })
})
