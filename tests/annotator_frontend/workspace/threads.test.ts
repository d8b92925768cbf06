import { describe, expect, test } from 'vitest'
import { chooseThreads } from '@/features/workspace/decoder/threads'

function memory(kept = new Map<string, string>()): Storage {
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  } as Storage
}

function stopwatch(milliseconds: Record<number, number>) {
  const asked: number[] = []
  const measure = async (threads: number) => {
    asked.push(threads)
    return milliseconds[threads]!
  }
  return { asked, measure }
}

describe('how many threads the decoder runs with', () => {
  test('two where two are faster', async () => {
    expect(await chooseThreads(2, 'abc', stopwatch({ 1: 40, 2: 25 }).measure, () => memory())).toBe(2)
  })

  test('one where two are not', async () => {
    expect(await chooseThreads(2, 'abc', stopwatch({ 1: 40, 2: 55 }).measure, () => memory())).toBe(1)
  })

  test('one where two could not be started', async () => {
    expect(await chooseThreads(2, 'abc', stopwatch({ 1: 40, 2: Number.POSITIVE_INFINITY }).measure, () => memory())).toBe(1)
  })

  test('nothing is measured where threads are not allowed', async () => {
    const { asked, measure } = stopwatch({ 1: 40 })
    expect(await chooseThreads(1, 'abc', measure, () => memory())).toBe(1)
    expect(asked).toEqual([])
  })

  test('it is measured once, and again when the number of cores has changed', async () => {
    const kept = memory()
    const { asked, measure } = stopwatch({ 1: 40, 2: 25, 4: 20 })
    await chooseThreads(2, 'abc', measure, () => kept)
    expect(await chooseThreads(2, 'abc', measure, () => kept)).toBe(2)
    expect(asked).toEqual([2, 1])
    expect(await chooseThreads(4, 'abc', measure, () => kept)).toBe(4)
  })

  test('another decoder is measured for itself', async () => {
    const kept = memory()
    await chooseThreads(2, 'abc', stopwatch({ 1: 40, 2: 25 }).measure, () => kept)
    expect(await chooseThreads(2, 'def', stopwatch({ 1: 9, 2: 12 }).measure, () => kept)).toBe(1)
  })

  test('what could not be measured is not remembered', async () => {
    const kept = memory()
    const broken = stopwatch({ 1: Number.POSITIVE_INFINITY, 2: Number.POSITIVE_INFINITY })
    await chooseThreads(2, 'abc', broken.measure, () => kept)
    expect(await chooseThreads(2, 'abc', stopwatch({ 1: 40, 2: 25 }).measure, () => kept)).toBe(2)
  })

  test('a memory that refuses does not stop it', async () => {
    const refusing = () => {
      throw new Error('forbidden')
    }
    expect(await chooseThreads(2, 'abc', stopwatch({ 1: 40, 2: 25 }).measure, refusing)).toBe(2)
  })
})
