import { ApiError, Unreachable } from '@/shared/api/client'

/** One thing that the server has to be told, in order. Plain data: it survives a reload in the journal. */
export type Operation = { image: string; assignment: string } & (
  | { kind: 'put'; id: string; body: Record<string, unknown> }
  | { kind: 'remove'; id: string }
  | { kind: 'submit'; masks: string[]; complete?: boolean }
  | { kind: 'skip'; reason: string }
  | { kind: 'release' }
)

/** An operation and the name under which it lies in the journal; names sort in the order of making. */
export interface Entry {
  name: string
  operation: Operation
}

/** Where operations lie until the server has confirmed them. Tabs of one person share it, so each entry stands alone. */
export interface Journal {
  read(): Promise<Entry[]>
  has(name: string): Promise<boolean>
  write(entry: Entry): Promise<void>
  remove(name: string): Promise<void>
  /** Run while no other tab sends. */
  alone(send: () => Promise<void>): Promise<void>
}

export interface Server {
  put(id: string, body: Record<string, unknown>): Promise<void>
  remove(id: string): Promise<void>
  /** @param complete the person says that nothing is left to label. */
  submit(assignment: string, masks: string[], complete: boolean): Promise<void>
  skip(assignment: string, reason: string): Promise<void>
  release(assignment: string): Promise<void>
  /** Take the photo of a lease that ran out; its new assignment. */
  reopen(image: string): Promise<string>
}

export type SavingState =
  | { name: 'saved' }
  | { name: 'saving'; unsent: number }
  | { name: 'waiting'; unsent: number; why: string }
  /** The server refuses the first one: a person has to decide. */
  | { name: 'stuck'; unsent: number; why: string; code: string }

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000
/** These end a lease: one that has ended already is what they wanted. */
const CLOSING = ['submit', 'skip', 'release']

/**
 * Sends operations in the order in which they were made, each until the server has confirmed it. They are in the journal
 * before they are sent, and leave it only after.
 */
export class Outbox {
  private entries: Entry[] = []
  private readonly confirmed: Operation[] = []
  private isSending = false
  private pauseMs = FIRST_PAUSE_MS
  private timer: ReturnType<typeof setTimeout> | undefined
  private writing: Promise<void> = Promise.resolve()
  private journalProblem: string | null = null
  private made = 0
  private readonly listeners = new Set<() => void>()
  state: SavingState = { name: 'saved' }
  /** Told when a lease that ran out was taken again. */
  onMoved: (from: string, to: string) => void = () => {}

  constructor(
    private readonly server: Server,
    private readonly journal: Journal,
    private readonly now: () => number = Date.now,
  ) {}

  /** What an earlier page left unsent goes first. */
  async resume(): Promise<void> {
    const known = new Set(this.entries.map(({ name }) => name))
    const left = (await this.journal.read()).filter(({ name }) => !known.has(name))
    this.entries = [...left, ...this.entries]
    if (left.length) this.kick()
  }

  add(operation: Operation): void {
    const name = `${this.now().toString().padStart(15, '0')}-${(this.made++).toString().padStart(6, '0')}`
    const entry = { name, operation }
    this.entries.push(entry)
    this.keep(() => this.journal.write(entry))
    this.kick()
  }

  /** What happened to a photo since this page was opened, or before and unsent: the server may not have told of it. */
  operationsOn(image: string): Operation[] {
    const unsent = this.entries.map(({ operation }) => operation)
    return [...this.confirmed, ...unsent].filter(operation => operation.image === image)
  }

  /** Assignments that are as good as closed. */
  closing(): string[] {
    return this.entries.flatMap(({ operation: { kind, assignment } }) =>
      CLOSING.includes(kind) ? [assignment] : [],
    )
  }

  /** Try at once, whatever the pause: the network is back, or somebody logged in again. */
  kick(): void {
    clearTimeout(this.timer)
    if (!this.isSending) void this.sendAll()
  }

  /** Give the first operation up: the answer to `stuck`. */
  dropFirst(): void {
    const dropped = this.entries.shift()
    if (!dropped) return
    this.keep(() => this.journal.remove(dropped.name))
    const { operation } = dropped
    if (operation.kind === 'put') {
      // The photo can be submitted without it.
      this.change(other => {
        if (other.kind !== 'submit' || !other.masks.includes(operation.id)) return null
        return { ...other, masks: other.masks.filter(id => id !== operation.id) }
      })
    }
    this.kick()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  getState = (): SavingState => this.state

  /** One write to the journal after the other. Where there is no journal, the page itself is all that keeps the work. */
  private keep(write: () => Promise<void>): void {
    this.writing = this.writing.then(write).then(
      () => {
        this.journalProblem = null
      },
      (error: unknown) => {
        this.journalProblem = `This browser keeps nothing (${error instanceof Error ? error.message : String(error)}).`
      },
    )
  }

  private change(edit: (operation: Operation) => Operation | null): void {
    for (const entry of this.entries) {
      const edited = edit(entry.operation)
      if (!edited) continue
      entry.operation = edited
      this.keep(() => this.journal.write({ ...entry }))
    }
  }

  private become(state: SavingState): void {
    this.state = state
    for (const listener of this.listeners) listener()
  }

  private async sendAll(): Promise<void> {
    this.isSending = true
    this.become({ name: 'saving', unsent: this.entries.length })
    try {
      await this.journal.alone(() => this.sendEach())
      this.become({ name: 'saved' })
    } catch (error) {
      this.stopFor(error)
    } finally {
      this.isSending = false
    }
    // Something may have come while the last answer was on its way.
    if (this.state.name === 'saved' && this.entries.length) this.kick()
  }

  private async sendEach(): Promise<void> {
    while (this.entries.length) {
      const first = this.entries[0]!
      this.become({ name: 'saving', unsent: this.entries.length })
      await this.writing
      // Another tab may have sent it meanwhile.
      if (this.journalProblem !== null || (await this.journal.has(first.name))) await this.send(first)
      this.pauseMs = FIRST_PAUSE_MS
      this.entries.shift()
      this.confirmed.push(first.operation)
      this.keep(() => this.journal.remove(first.name))
    }
    await this.writing
  }

  private stopFor(error: unknown): void {
    const unsent = this.entries.length
    const said = error instanceof Error ? error.message : String(error)
    const why = this.journalProblem ? `${said} ${this.journalProblem} Keep this page open.` : said
    const isPassing =
      error instanceof Unreachable ||
      (error instanceof ApiError && (error.status >= 500 || [401, 429].includes(error.status)))
    if (!isPassing) {
      this.become({ name: 'stuck', unsent, why, code: error instanceof ApiError ? error.code : 'fault' })
      return
    }
    this.become({ name: 'waiting', unsent, why })
    this.timer = setTimeout(() => this.kick(), this.pauseMs)
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS)
  }

  private async send(entry: Entry): Promise<void> {
    const { kind, image, assignment } = entry.operation
    try {
      await this.tell(entry.operation)
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'assignment_not_held')) throw error
      if (kind === 'skip' || kind === 'release') return
      // The lease ran out. Take the photo again, if nobody else has it, and move all that is unsent for it over.
      const taken = await this.server.reopen(image)
      if (taken === assignment) throw error
      this.move(assignment, taken)
      await this.tell(entry.operation)
    }
  }

  private move(from: string, to: string): void {
    this.change(operation => {
      if (operation.assignment !== from) return null
      if (operation.kind !== 'put') return { ...operation, assignment: to }
      return { ...operation, assignment: to, body: { ...operation.body, assignment: to } }
    })
    this.onMoved(from, to)
  }

  private tell(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case 'put':
        return this.server.put(operation.id, operation.body)
      case 'remove':
        return this.server.remove(operation.id)
      case 'submit':
        return this.server.submit(operation.assignment, operation.masks, operation.complete ?? false)
      case 'skip':
        return this.server.skip(operation.assignment, operation.reason)
      case 'release':
        return this.server.release(operation.assignment)
    }
  }
}
