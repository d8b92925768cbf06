import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Refresher } from '@/app/useLiveChanges'

let queries: QueryClient
let refresher: Refresher

beforeEach(() => {
  vi.useFakeTimers()
  queries = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  refresher = new Refresher(queries)
})
afterEach(() => {
  refresher.stop()
  queries.clear()
  vi.useRealTimers()
})

/** A list on show; returns how often the server was asked for it. */
function watch(part: string, answer: () => Promise<unknown>): () => number {
  let asked = 0
  const queryFn = () => {
    asked++
    return answer()
  }
  new QueryObserver(queries, { queryKey: ['dataset', 'd', part], queryFn }).subscribe(() => {})
  return () => asked
}

const change = (kind: string) => ({ kind, subject: 's', dataset: 'd', data: {} })

test('many changes in a row ask once, for what they are about', async () => {
  const releases = watch('releases', async () => 1)
  const members = watch('members', async () => 1)
  await vi.advanceTimersByTimeAsync(10)
  for (let i = 0; i < 20; i++) refresher.note(change('release.written'))
  await vi.advanceTimersByTimeAsync(1000)
  expect([releases(), members()]).toEqual([2, 1])
})

test('what belongs to the live model is asked for again after a promotion, and its thresholds when its detector is ready', async () => {
  const of = Object.fromEntries(
    ['checkpoints', 'thresholds', 'review', 'audit', 'releases'].map(part => [part, watch(part, async () => 1)]),
  )
  const asked = () => Object.fromEntries(Object.entries(of).map(([part, count]) => [part, count()]))
  await vi.advanceTimersByTimeAsync(10)
  refresher.note(change('deployment.changed'))
  await vi.advanceTimersByTimeAsync(1000)
  expect(asked()).toEqual({ checkpoints: 2, thresholds: 2, review: 2, audit: 2, releases: 1 })
  refresher.note(change('detector.ready'))
  await vi.advanceTimersByTimeAsync(1000)
  expect(asked()).toEqual({ checkpoints: 2, thresholds: 3, review: 3, audit: 2, releases: 1 })
})

test('what the workspace shows of a dataset is not asked for again with every mask', async () => {
  const brief = watch('brief', async () => 1)
  const photos = watch('photos', async () => 1)
  await vi.advanceTimersByTimeAsync(10)
  refresher.note(change('mask.created'))
  await vi.advanceTimersByTimeAsync(5000)
  expect([brief(), photos()]).toEqual([1, 2])
  refresher.note(change('dataset.updated'))
  await vi.advanceTimersByTimeAsync(1000)
  expect(brief()).toBe(2)
})

test('a change is asked about within seconds, though there is always a question on its way', async () => {
  const endless = watch('photos', () => new Promise(() => {}))
  const releases = watch('releases', async () => 1)
  await vi.advanceTimersByTimeAsync(10)
  refresher.note(change('release.written'))
  await vi.advanceTimersByTimeAsync(4000)
  expect(releases()).toBe(1)
  await vi.advanceTimersByTimeAsync(3000)
  expect(releases()).toBe(2)
  // What is not about it goes on.
  expect(endless()).toBe(1)
})

test('an answer that takes longer than the wait arrives under a change every moment, and is asked again for the newest', async () => {
  let arrived = 0
  const slow = watch('photos', async () => {
    await new Promise(resolve => setTimeout(resolve, 12_000))
    return ++arrived
  })
  const busy = setInterval(() => refresher.note(change('mask.created')), 300)
  await vi.advanceTimersByTimeAsync(60_000)
  clearInterval(busy)
  // The first was begun before any change and is given up once; from then on one after the other.
  expect(arrived).toBeGreaterThanOrEqual(4)
  expect(slow() - arrived).toBeLessThanOrEqual(2)
  const before = slow()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(slow() - before).toBeGreaterThanOrEqual(1) // what changed while the last was on its way
  expect(slow() - before).toBeLessThanOrEqual(2)
})

test('a list of datasets that was on its way when something changed is asked again when it has arrived', async () => {
  let asked = 0
  const queryFn = async () => {
    asked++
    await new Promise(resolve => setTimeout(resolve, 3000))
    return 1
  }
  new QueryObserver(queries, { queryKey: ['datasets'], queryFn }).subscribe(() => {})
  await vi.advanceTimersByTimeAsync(10)
  refresher.note(change('release.written'))
  await vi.advanceTimersByTimeAsync(2000)
  expect(asked).toBe(1)
  await vi.advanceTimersByTimeAsync(2000)
  expect(asked).toBe(2)
})
