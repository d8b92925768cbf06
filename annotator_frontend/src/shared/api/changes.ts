/** What the server says has changed; see `backend/common/stream.py`. */
export interface Change {
  kind: string
  subject: string
  dataset: string
  data: Record<string, unknown>
}

/** Listen until the returned function is called. The browser reconnects by itself. */
export function listen(onChange: (change: Change) => void, onReconnect: () => void): () => void {
  const source = new EventSource('/api/stream/')
  let opened = false
  source.addEventListener('change', event => onChange(JSON.parse((event as MessageEvent).data) as Change))
  source.addEventListener('open', () => {
    // What was said in between is lost: ask for everything again.
    if (opened) onReconnect()
    opened = true
  })
  return () => source.close()
}
