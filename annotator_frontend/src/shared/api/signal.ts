import { useSyncExternalStore } from 'react'

/** One fact about the whole page that parts of it watch. */
export class Signal<T> {
  private readonly listeners = new Set<() => void>()

  constructor(private value: T) {}

  get = (): T => this.value

  set(value: T): void {
    if (value === this.value) return
    this.value = value
    for (const listener of this.listeners) listener()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}

export function useSignal<T>(signal: Signal<T>): T {
  return useSyncExternalStore(signal.subscribe, signal.get, signal.get)
}

/** The login ran out, or somebody logged out in another tab: it is asked for again on top of the page. */
export const loginExpired = new Signal(false)

/** The server has another version of this page than the one that is open. */
export const isOutdated = new Signal(false)
