import { expect, test, vi } from 'vitest'
import { ActiveClock } from '@/features/workspace/editor/activeClock'
import { whetherLong } from '@/features/workspace/panels/SlowSign'

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
