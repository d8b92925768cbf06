const AT_MOST_MS = 500

/** Do this when the page has nothing better to do. Not every browser tells. */
export function whenIdle(act: () => void): void {
  if ('requestIdleCallback' in window) requestIdleCallback(act, { timeout: AT_MOST_MS })
  else setTimeout(act)
}
