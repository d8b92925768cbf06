import { afterEach, beforeEach, expect, test, vi } from 'vitest'

type Held = (lock: object | null) => unknown

/** What all windows of a browser have in common: its locks, and what it keeps for the site. */
let locks: Set<string>
let common: Map<string, string>

beforeEach(() => {
  locks = new Set()
  common = new Map()
})
afterEach(() => void vi.unstubAllGlobals())

const storageOf = (kept: Map<string, string>) => ({
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
})

/** A page of a window that keeps this. */
async function open(kept: Map<string, string>) {
  const own = new Set<string>()
  const request = async (name: string, _: object, held: Held) => {
    if (locks.has(name)) return held(null)
    locks.add(name)
    own.add(name)
    return held({})
  }
  vi.stubGlobal('localStorage', storageOf(common))
  vi.stubGlobal('sessionStorage', storageOf(kept))
  const query = async () => ({ held: [...locks].map(name => ({ name })) })
  vi.stubGlobal('navigator', { locks: { request, query } })
  vi.resetModules()
  const { claimTab, isGone, thisTab } = await import('@/shared/api/tab')
  await claimTab()
  const close = () => {
    for (const name of own) locks.delete(name)
  }
  return { name: thisTab(), isGone, close }
}

test('a window keeps its name over a reload', async () => {
  const kept = new Map<string, string>()
  const before = await open(kept)
  before.close()
  const after = await open(kept)
  expect(after.name).toBe(before.name)
})

test('a window that was duplicated gets a name of its own, of the same browser', async () => {
  const kept = new Map<string, string>()
  const original = await open(kept)
  const duplicate = await open(new Map(kept)) // a browser copies what the window keeps
  expect(duplicate.name).not.toBe(original.name)
  expect(duplicate.name.split('.')[0]).toBe(original.name.split('.')[0])
  expect(kept.get('maskloop.tab')).toBe(original.name)
})

test('a window knows of the others of its browser whether they are gone, and of other browsers’ nothing', async () => {
  const other = await open(new Map())
  const { name, isGone } = await open(new Map())
  expect([await isGone(other.name), await isGone(name), await isGone('elsewhere.window')]).toEqual([false, false, false])
  other.close()
  expect(await isGone(other.name)).toBe(true)
})

test('where the browser keeps nothing and has no locks a page is a window all the same, and none is said to be gone', async () => {
  const forbidden = () => {
    throw new Error('forbidden')
  }
  for (const storage of ['localStorage', 'sessionStorage'])
    vi.stubGlobal(storage, { getItem: forbidden, setItem: forbidden })
  vi.stubGlobal('navigator', {})
  vi.resetModules()
  const { claimTab, isGone, thisTab } = await import('@/shared/api/tab')
  await claimTab()
  expect(thisTab()).toMatch(/^\S+\.\S+$/)
  expect(thisTab()).toBe(thisTab())
  expect(await isGone(`${thisTab()}2`)).toBe(false)
})
