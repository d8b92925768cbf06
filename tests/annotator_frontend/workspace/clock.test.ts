import { expect, test, vi } from 'vitest'
import { ActiveClock } from '@/features/workspace/editor/activeClock'
import { Editor } from '@/features/workspace/editor/editor'
import { whetherLong, whetherObjectLong } from '@/features/workspace/panels/SlowSign'
import { mask } from '../shared/plain'

test('seconds count what the hand does, and long pauses only up to ten', () => {
  const clock = new ActiveClock()
  clock.take(0)
  clock.touch(3000)
  clock.touch(63_000)
  expect(clock.take(64_000)).toBeCloseTo(3 + 10 + 1)
})

test('a hand that never rests counts every second once', () => {
  const clock = new ActiveClock()
  clock.take(0)
  for (let now = 0; now <= 60_000; now += 16) clock.touch(now)
  expect(clock.take(60_000)).toBeCloseTo(60)
})

test('nothing counts while the tab is hidden, or a dialog lies over the photo', () => {
  const clock = new ActiveClock()
  clock.take(0)
  clock.touch(1000)
  clock.hold(2000)
  clock.touch(100_000) // the hand in the dialog
  clock.goOn(200_000)
  clock.touch(201_000)
  expect(clock.take(201_500)).toBeCloseTo(2 + 1.5)
})

test('to look at the clock changes nothing', () => {
  const clock = new ActiveClock()
  clock.take(0)
  clock.touch(4000)
  expect(clock.peek(5000)).toBeCloseTo(5)
  expect(clock.peek(500_000)).toBeCloseTo(14)
  expect(clock.take(5000)).toBeCloseTo(5)
  expect(clock.peek(5000)).toBe(0)
})

test('an object has taken long after half a minute of work on it, and pauses are none', () => {
  vi.useFakeTimers()
  const clock = new ActiveClock()
  clock.take(performance.now())
  const work = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.touch(performance.now())
      vi.advanceTimersByTime(1000)
    }
  }
  work(100) // on what came before
  let isLong = false
  const stop = whetherLong(clock, now => {
    isLong = now
  })
  work(15)
  vi.advanceTimersByTime(10 * 60_000)
  expect(isLong).toBe(false)
  work(3)
  expect(isLong).toBe(false)
  work(10)
  expect(isLong).toBe(true)
  stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

test('the next object, though it follows within the same task, begins with no time, and the sign goes with the one before', () => {
  vi.useFakeTimers()
  const clock = new ActiveClock()
  clock.take(performance.now())
  const editor = new Editor({
    ask: () => {},
    put: () => {},
    remove: () => {},
    notAccepted: () => {},
    newId: () => 'new',
    secondsSpent: () => clock.take(performance.now()),
  })
  editor.open('photo', [], { height: 1, width: 1 })
  const told: boolean[] = []
  const stop = whetherObjectLong(editor, clock, isLong => told.push(isLong))
  const work = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.touch(performance.now())
      vi.advanceTimersByTime(1000)
    }
  }
  const click = () => editor.addPrompt({ kind: 'point', at: { x: 0, y: 0 }, label: 1 })
  click()
  work(32)
  expect(told.at(-1)).toBe(true)
  editor.accept()
  click() // it waits for the answer
  editor.answered('photo', editor.state.revision, [
    { index: 0, predictedIou: 0.9, stability: 0.9, logits: new Float32Array(1), mask: mask('#'), region: null },
  ])
  expect(editor.isBusy).toBe(true)
  expect(told.at(-1)).toBe(false)
  work(29)
  expect(told.at(-1)).toBe(false)
  work(3)
  expect(told.at(-1)).toBe(true)
  editor.clear()
  expect(told.at(-1)).toBe(false)
  stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})
