import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { listen } from '@/shared/api/changes'

class FakeSource extends EventTarget {
  static readonly CLOSED = 2
  static made: FakeSource[] = []
  readyState = 0

  constructor() {
    super()
    FakeSource.made.push(this)
  }

  close() {
    this.readyState = FakeSource.CLOSED
  }

  say(kind: string) {
    const data = JSON.stringify({ kind, subject: '', dataset: '', data: {} })
    this.dispatchEvent(new MessageEvent('change', { data }))
  }

  /** The connection breaks; `refused`: and the browser gives it up. */
  breaks(refused = false) {
    this.readyState = refused ? FakeSource.CLOSED : 0
    this.dispatchEvent(new Event('error'))
  }

  opens() {
    this.readyState = 1
    this.dispatchEvent(new Event('open'))
  }
}

let heard: string[]
let stops: (() => void)[]

const page = Object.assign(new EventTarget(), { hidden: false })
const open = () => FakeSource.made.filter(({ readyState }) => readyState !== FakeSource.CLOSED)

function hear(name: string) {
  const stop = listen(
    ({ kind }) => heard.push(`${name}: ${kind}`),
    () => heard.push(`${name}: ask again`),
  )
  stops.push(stop)
  return stop
}

function turn(hidden: boolean) {
  page.hidden = hidden
  page.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', FakeSource)
  vi.stubGlobal('document', page)
  page.hidden = false
  FakeSource.made = []
  heard = []
  stops = []
})

afterEach(() => {
  for (const stop of stops) stop()
  vi.unstubAllGlobals()
})

test('all that listen in a page share one connection, which ends with the last of them', () => {
  const [first, second] = [hear('first'), hear('second')]
  expect(FakeSource.made).toHaveLength(1)
  open()[0]!.opens()
  open()[0]!.say('mask.created')
  expect(heard).toEqual(['first: mask.created', 'second: mask.created'])
  first()
  expect(open()).toHaveLength(1)
  second()
  expect(open()).toHaveLength(0)
})

test('a page that nobody sees lets its connection go, and asks for everything when somebody does', () => {
  hear('page')
  open()[0]!.opens()
  turn(true)
  vi.advanceTimersByTime(9_000)
  turn(false) // a short look at another tab
  vi.advanceTimersByTime(60_000)
  expect(open()).toHaveLength(1)
  expect(heard).toEqual([])
  turn(true)
  vi.advanceTimersByTime(10_000)
  expect(open()).toHaveLength(0)
  turn(false)
  expect(open()).toHaveLength(1)
  open()[0]!.opens()
  expect(heard).toEqual(['page: ask again'])
})

test('a page that is opened behind others has no connection before it is seen', () => {
  page.hidden = true
  hear('page')
  vi.advanceTimersByTime(60_000)
  expect(FakeSource.made).toHaveLength(0)
  turn(false)
  open()[0]!.opens()
  expect(heard).toEqual(['page: ask again'])
})

test('after a broken connection everything is asked for once, and one that was refused is tried again', () => {
  hear('page')
  open()[0]!.opens()
  open()[0]!.breaks()
  open()[0]!.opens()
  expect(heard).toEqual(['page: ask again'])
  open()[0]!.breaks(true)
  expect(open()).toHaveLength(0)
  vi.advanceTimersByTime(5_000)
  open()[0]!.opens()
  expect(heard).toEqual(['page: ask again', 'page: ask again'])
})

test('who begins to listen while there is a connection has missed nothing', () => {
  hear('first')
  open()[0]!.opens()
  hear('second')
  open()[0]!.say('mask.created')
  expect(heard).toEqual(['first: mask.created', 'second: mask.created'])
})
