import { createStore, del, entries, set } from 'idb-keyval'
import { ApiError, api, type Schemas } from '@/shared/api/client'
import { mine } from '@/shared/api/mine'

export type Answer = Schemas['AnswerEnum']

/** One answer, under a name of its own: sent twice it counts once. */
export interface Verdict {
  id: string
  question: string
  answer: Answer
  seconds: number
}

/** Where answers lie until the server has confirmed them. Keys sort in the order of answering. */
export interface Journal {
  read(): Promise<[key: string, verdict: Verdict][]>
  write(key: string, verdict: Verdict): Promise<void>
  remove(key: string): Promise<void>
}

const PAUSE_MS = 2000

/** Sends answers in the order in which they were given, each until the server has confirmed it, over reloads too. */
export class VerdictOutbox {
  private waiting: { key: string; verdict: Verdict }[] = []
  private isSending = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private made = 0
  private readonly listeners = new Set<() => void>()
  /** What the server would not take, for the person to read; those answers are given up. */
  refusal: string | null = null

  constructor(
    private readonly send: (verdict: Verdict) => Promise<void>,
    private readonly journal: Journal,
    private readonly now: () => number = Date.now,
  ) {}

  get unsent(): number {
    return this.waiting.length
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** What an earlier page left unsent goes first. */
  async resume(): Promise<void> {
    const read = await this.journal.read()
    const known = new Set(this.waiting.map(({ key }) => key))
    const left = read.filter(([key]) => !known.has(key))
    this.waiting = [...left.map(([key, verdict]) => ({ key, verdict })), ...this.waiting]
    this.changed()
    await this.flush()
  }

  async add(verdict: Verdict): Promise<void> {
    const key = `${String(this.now()).padStart(15, '0')}-${String(this.made++).padStart(6, '0')}-${verdict.id}`
    this.waiting.push({ key, verdict })
    this.refusal = null
    this.changed()
    // A browser without a journal still sends; only a reload in this very moment would lose it.
    await this.journal.write(key, verdict).catch(() => {})
    await this.flush()
  }

  async flush(): Promise<void> {
    if (this.isSending) return
    this.isSending = true
    clearTimeout(this.timer)
    try {
      for (let first = this.waiting[0]; first; first = this.waiting[0]) {
        try {
          await this.send(first.verdict)
        } catch (error) {
          const isFinal = error instanceof ApiError && [400, 403, 404, 409].includes(error.status)
          if (!isFinal) {
            this.timer = setTimeout(() => void this.flush(), PAUSE_MS)
            return
          }
          this.refusal = error.message
        }
        this.waiting.shift()
        await this.journal.remove(first.key).catch(() => {})
        this.changed()
      }
    } finally {
      this.isSending = false
    }
  }

  private changed(): void {
    for (const listener of this.listeners) listener()
  }
}

async function put(user: string, { id, ...body }: Verdict): Promise<void> {
  await mine(user, api.PUT('/api/verdicts/{verdict_id}/', { params: { path: { verdict_id: id } }, body }))
}

/** In IndexedDB, each person's apart. */
function journalOf(user: string): Journal {
  const store = createStore('maskloop-verdicts', 'journal')
  const prefix = `${user}/`
  return {
    read: async () =>
      (await entries<string, Verdict>(store))
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, verdict]): [string, Verdict] => [key.slice(prefix.length), verdict])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    write: (key, verdict) => set(prefix + key, verdict, store),
    remove: key => del(prefix + key, store),
  }
}

const outboxes = new Map<string, VerdictOutbox>()

/** One for each person, for as long as the page lives. */
export function verdictOutboxOf(user: string): VerdictOutbox {
  let outbox = outboxes.get(user)
  if (!outbox) {
    outbox = new VerdictOutbox(verdict => put(user, verdict), journalOf(user))
    outboxes.set(user, outbox)
  }
  return outbox
}
