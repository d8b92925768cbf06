/** What the server says has changed; see `backend/common/stream.py`. */
export interface Change {
  kind: string
  subject: string
  dataset: string
  data: Record<string, unknown>
}

/** A connection that the server refused, which the browser gives up, is tried again after this. */
const AGAIN_MS = 5000

/** Listen until the returned function is called. The browser reconnects by itself. */
export function listen(onChange: (change: Change) => void, onReconnect: () => void): () => void {
  let source: EventSource
  let timer: ReturnType<typeof setTimeout> | undefined
  let opened = false
  const open = () => {
    source = new EventSource('/api/stream/')
    source.addEventListener('change', event => onChange(JSON.parse((event as MessageEvent).data) as Change))
    source.addEventListener('open', () => {
      // What was said in between is lost: ask for everything again.
      if (opened) onReconnect()
      opened = true
    })
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN_MS)
    })
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}
