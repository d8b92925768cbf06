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
    expect(await chooseThreads(2, stopwatch({ 1: 40, 2: 25 }).measure, memory())).toBe(2)
  })

  test('one where two are not', async () => {
    expect(await chooseThreads(2, stopwatch({ 1: 40, 2: 55 }).measure, memory())).toBe(1)
  })

  test('one where two could not be started', async () => {
    expect(await chooseThreads(2, stopwatch({ 1: 40, 2: Number.POSITIVE_INFINITY }).measure, memory())).toBe(1)
  })

  test('nothing is measured where threads are not allowed', async () => {
    const { asked, measure } = stopwatch({ 1: 40 })
    expect(await chooseThreads(1, measure, memory())).toBe(1)
    expect(asked).toEqual([])
  })

  test('it is measured once, and again when the number of cores has changed', async () => {
    const kept = memory()
    const { asked, measure } = stopwatch({ 1: 40, 2: 25, 4: 20 })
    await chooseThreads(2, measure, kept)
    expect(await chooseThreads(2, measure, kept)).toBe(2)
    expect(asked).toEqual([2, 1])
    expect(await chooseThreads(4, measure, kept)).toBe(4)
  })

  test('a memory that refuses does not stop it', async () => {
    const refusing = {
      getItem: () => {
        throw new Error('forbidden')
      },
      setItem: () => {
        throw new Error('forbidden')
      },
    } as unknown as Storage
    expect(await chooseThreads(2, stopwatch({ 1: 40, 2: 25 }).measure, refusing)).toBe(2)
  })
})
