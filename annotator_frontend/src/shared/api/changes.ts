/** What the server says has changed; see `backend/common/stream.py`. */
export interface Change {
  kind: string
  subject: string
  dataset: string
  data: Record<string, unknown>
}

/** A connection that the server refused, which the browser gives up, is tried again after this. */
const AGAIN_MS = 5000
/** A page that nobody has looked at for so long lets its connection go. */
const UNSEEN_MS = 10_000

interface Listener {
  onChange: (change: Change) => void
  onReconnect: () => void
  /** Whether something may have been said that it has not heard. */
  hasMissed: boolean
}

/**
 * The page's one connection, for all that listen. A browser has six for a server over HTTP/1.1, all of its tabs together, and what
 * is to be saved needs one too: so a page that nobody sees has none.
 */
class Stream {
  private readonly listeners = new Set<Listener>()
  private source: EventSource | null = null
  private again: ReturnType<typeof setTimeout> | undefined
  private unseen: ReturnType<typeof setTimeout> | undefined

  add(listener: Listener): () => void {
    if (!this.listeners.size) document.addEventListener('visibilitychange', this.look)
    this.listeners.add(listener)
    if (document.hidden) listener.hasMissed = true
    else this.open()
    return () => {
      this.listeners.delete(listener)
      if (this.listeners.size) return
      document.removeEventListener('visibilitychange', this.look)
      this.close()
    }
  }

  private readonly look = () => {
    clearTimeout(this.unseen)
    if (document.hidden) this.unseen = setTimeout(() => this.close(), UNSEEN_MS)
    else this.open()
  }

  private open(): void {
    if (this.source) return
    clearTimeout(this.again)
    const source = new EventSource('/api/stream/')
    this.source = source
    source.addEventListener('change', event => {
      const change = JSON.parse((event as MessageEvent).data) as Change
      for (const { onChange } of this.listeners) onChange(change)
    })
    source.addEventListener('open', () => {
      // What was said in between is lost: ask for everything again.
      for (const listener of this.listeners) if (listener.hasMissed) listener.onReconnect()
      this.allHave(false)
    })
    source.addEventListener('error', () => {
      this.allHave(true)
      if (source.readyState !== EventSource.CLOSED) return // the browser tries again by itself
      this.source = null
      this.again = setTimeout(() => this.open(), AGAIN_MS)
    })
  }

  private close(): void {
    clearTimeout(this.again)
    clearTimeout(this.unseen)
    this.source?.close()
    this.source = null
    this.allHave(true)
  }

  private allHave(missed: boolean): void {
    for (const listener of this.listeners) listener.hasMissed = missed
  }
}

const stream = new Stream()

/** Listen until the returned function is called. */
export function listen(onChange: Listener['onChange'], onReconnect: Listener['onReconnect']): () => void {
  return stream.add({ onChange, onReconnect, hasMissed: false })
}
