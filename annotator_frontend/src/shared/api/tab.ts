/**
 * The name of this window, which the server knows as the one that writes to a photo. It survives a reload, and tells the
 * browser (before the dot) from the window in it. A lock under that name is held for as long as the window lives, so that
 * another window of this browser can see whether it does.
 */

const lockOf = (tab: string) => `maskloop-tab-${tab}`

function kept(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key)
  } catch {
    return null // storage is forbidden
  }
}

function keep(storage: () => Storage, key: string, value: string): string {
  try {
    storage().setItem(key, value)
  } catch {
    // Then each load is a window of its own.
  }
  return value
}

const short = () => crypto.randomUUID().slice(0, 18)

function newTab(): string {
  const browser =
    kept(() => localStorage, 'maskloop.browser') ?? keep(() => localStorage, 'maskloop.browser', short())
  return keep(() => sessionStorage, 'maskloop.tab', `${browser}.${short()}`)
}

let own: string | null = null
let claiming: Promise<void> | null = null

/** This window; after `claimTab`. */
export function thisTab(): string {
  own ??= kept(() => sessionStorage, 'maskloop.tab') ?? newTab()
  return own
}

/** Make the name this window's alone: a window that was duplicated has its original's. */
export function claimTab(): Promise<void> {
  claiming ??= claim()
  return claiming
}

async function claim(): Promise<void> {
  while (navigator.locks && !(await hold(thisTab()))) own = newTab()
}

function hold(tab: string): Promise<boolean> {
  return new Promise(resolve => {
    const held = navigator.locks.request(lockOf(tab), { ifAvailable: true }, lock => {
      resolve(lock !== null)
      return lock && new Promise<void>(() => {}) // for as long as the window lives
    })
    held.catch(() => resolve(true)) // no locks here: the server still knows one window from the other
  })
}

/** Whether a window of this browser is gone for certain. Of another browser's windows nothing is known. */
export async function isGone(tab: string): Promise<boolean> {
  if (tab.split('.')[0] !== thisTab().split('.')[0] || !navigator.locks) return false
  const { held } = await navigator.locks.query()
  return !held?.some(({ name }) => name === lockOf(tab))
}
