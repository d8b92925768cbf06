import { ApiError, isPassing, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'

/**
 * One thing that the server has to be told, in order. Plain data: it survives a reload in the journal, and a deploy, so what
 * a field means never changes. `tab` is the window that made it; operations from before there were tabs have none.
 * `fileName`: the photo's, for people; some have none.
 */
export type Operation = { image: string; assignment: string; tab?: string; fileName?: string } & (
  | { kind: 'put'; id: string; body: Record<string, unknown> }
  | { kind: 'remove'; id: string }
  | { kind: 'submit'; masks: string[]; complete?: boolean }
  | { kind: 'skip'; reason: string }
  | { kind: 'release' }
)

/** The photo that an operation is about. */
export function named({ id, file_name }: { id: string; file_name: string }): {
  image: string
  fileName: string
} {
  return { image: id, fileName: file_name }
}

/** An operation and the name under which it lies in the journal; names sort in the order of making. */
export interface Entry {
  name: string
  operation: Operation
}

/** When the operation was made, in milliseconds. */
export function madeAt(name: string): number {
  return Number.parseInt(name, 10)
}

/** An entry, and whether it is in the journal: `coming` while it is being written, `failed` where it is in this page alone. */
type Kept = Entry & { keeping: 'coming' | 'kept' | 'failed' }

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
  reopen(image: string): Promise<Leased>
  /**
   * Another window has the photo. The window under whose name it may be told all the same, because that one is this very
   * window, or has taken the place of one that is gone; null: a person has to decide.
   */
  succeed(assignment: string, holder: string): Promise<string | null>
  /** Let this window write to the photo, and no other one; its name. */
  take(assignment: string): Promise<string>
}

/** A photo's assignment, as the server tells of it, with the masks that are on the photo. */
export type Leased = Schemas['AssignmentJson']

/** The server, as a window speaks to it; undefined: the one at hand. */
export type ServerOf = (tab: string | undefined) => Server

/** What the server said of one that it refuses; `extra` names what it is about. */
export interface Refused {
  why: string
  code: string
  extra: Readonly<Record<string, unknown>>
}

export type SavingState =
  | { name: 'saved' }
  | { name: 'saving'; unsent: number }
  /** `unkept`: why the work is in this page alone; null: the browser keeps all of it. */
  | { name: 'waiting'; unsent: number; why: string; unkept: string | null }
  /**
   * The server refuses one: a person has to decide. Operations on other photos go on being sent. `held`: the one that is
   * refused, and those on the same photo that wait for it.
   */
  | ({ name: 'stuck'; unsent: number; unkept: string | null; held: readonly Entry[] } & Refused)

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000
/** These end a lease. */
const CLOSING = ['submit', 'skip', 'release']
const IN_ANOTHER_TAB = 'assignment_in_another_tab'

/**
 * Sends operations in the order in which they were made, each until the server has confirmed it. They are in the journal
 * before they are sent, and leave it only after.
 */
export class Outbox {
  private entries: Kept[] = []
  /** Of photos that are not closed yet. */
  private confirmed: { nth: number; operation: Operation }[] = []
  private isSending = false
  private pauseMs = FIRST_PAUSE_MS
  private timer: ReturnType<typeof setTimeout> | undefined
  private writing: Promise<void> = Promise.resolve()
  private journalProblem: string | null = null
  /** Photos with an operation that the server refused, and what it said: those that follow on them wait. */
  private readonly held = new Map<string, Refused>()
  private made = 0
  private readonly listeners = new Set<() => void>()
  state: SavingState = { name: 'saved' }
  /** How many operations were confirmed so far. */
  confirmations = 0
  /** Told when a lease that ran out was taken again; `asOf`: `confirmations` when the server was asked for it. */
  onMoved: (from: string, to: Leased & { asOf: number }) => void = () => {}
  /** Told of a mask that the server refused and somebody gave up; `replaces`: what is on the photo still, in its place. */
  onDropped: (image: string, id: string, replaces: string | null) => void = () => {}

  constructor(
    private readonly serverOf: ServerOf,
    private readonly journal: Journal,
    private readonly now: () => number = Date.now,
    private readonly tab: () => string | undefined = () => undefined,
  ) {}

  /** What an earlier page left unsent goes first. */
  async resume(): Promise<void> {
    const read = await this.journal.read()
    const known = new Set(this.entries.map(({ name }) => name))
    const left = read.filter(({ name }) => !known.has(name))
    this.entries = [...left.map(entry => ({ ...entry, keeping: 'kept' as const })), ...this.entries]
    if (left.length) this.kick()
  }

  add(operation: Operation): void {
    // `madeAt` reads it.
    const name = `${this.now().toString().padStart(15, '0')}-${(this.made++).toString().padStart(6, '0')}`
    const tab = this.tab()
    const entry: Kept = { name, operation: tab ? { ...operation, tab } : operation, keeping: 'coming' }
    this.entries.push(entry)
    this.keep(entry)
    this.start()
  }

  /**
   * What happened to a photo that the server may not have told of: all that is unsent, and what it has confirmed since.
   * @param since `confirmations` when the server was asked.
   */
  operationsOn(image: string, since = 0): Operation[] {
    const confirmed = this.confirmed.filter(({ nth }) => nth >= since)
    return [...confirmed, ...this.entries].flatMap(({ operation }) =>
      operation.image === image ? [operation] : [],
    )
  }

  /** Assignments that are as good as closed. */
  closing(): string[] {
    return this.entries.flatMap(({ operation: { kind, assignment } }) =>
      CLOSING.includes(kind) ? [assignment] : [],
    )
  }

  /** Try at once, whatever the pause: the network is back, or somebody logged in again. */
  kick(): void {
    this.held.clear()
    this.start()
  }

  /** Resolves when all that was added is in the journal, or cannot be. */
  journalled(): Promise<void> {
    return this.writing
  }

  /** Whether the work is in this page alone: nothing unsent survives its closing. */
  get isOnlyHere(): boolean {
    return this.entries.some(({ keeping }) => keeping === 'failed')
  }

  private get unkept(): string | null {
    return this.isOnlyHere ? this.journalProblem : null
  }

  /** Take the photos that another window has, and save what was made here: an answer to `stuck`. */
  async takeOver(): Promise<void> {
    for (const [image, { code }] of [...this.held]) {
      const first = this.entries.find(({ operation }) => operation.image === image)?.operation
      if (first && code === IN_ANOTHER_TAB)
        this.rename(image, await this.serverOf(undefined).take(first.assignment))
    }
    this.kick()
  }

  private start(): void {
    clearTimeout(this.timer)
    if (!this.isSending) void this.sendAll()
  }

  /** Give the operation up that the server refuses: an answer to `stuck`. Resolves when no later page finds it. */
  dropFirst(): Promise<void> {
    const refused = this.entries.find(({ operation }) => this.held.has(operation.image))
    return this.giveUp(refused ? [refused] : []) // none: meanwhile it was sent
  }

  /** Give up what the server refuses, or what waits for it; what is sent, or being sent again, is left alone. */
  giveUp(held: readonly Entry[]): Promise<void> {
    const names = new Set(held.map(({ name }) => name))
    const refused = this.entries.filter(
      entry => names.has(entry.name) && this.held.has(entry.operation.image),
    )
    for (const entry of refused) this.drop(entry)
    const forgotten = this.writing
    if (refused.length) this.kick()
    return forgotten
  }

  private drop(dropped: Kept): void {
    this.entries = this.entries.filter(entry => entry !== dropped)
    this.forget(dropped)
    const { operation } = dropped
    if (operation.kind !== 'put') return
    const replaces = (operation.body.replaces as string | null | undefined) ?? null
    // The photo can be submitted without it, and what took its place takes the place of what it had replaced.
    this.change(other => {
      if (other.kind === 'put' && other.body.replaces === operation.id) {
        return { ...other, body: { ...other.body, replaces } }
      }
      if (other.kind !== 'submit' || !other.masks.includes(operation.id)) return null
      return { ...other, masks: other.masks.filter(id => id !== operation.id) }
    })
    this.onDropped(operation.image, operation.id, replaces)
  }

  /** Take the photo of a lease that ran out again, and move all that is unsent for it over. Returns whether it was another lease. */
  async reopen(image: string, assignment: string, tab?: string): Promise<boolean> {
    const asOf = this.confirmations
    const taken = await this.serverOf(tab).reopen(image)
    if (taken.id === assignment) return false
    this.move(assignment, { ...taken, asOf })
    return true
  }

  /** Instead of what the server refuses, give its photo back: somebody else has to decide first. */
  giveBackFirst(): void {
    const refused = this.entries.find(({ operation }) => this.held.has(operation.image))?.operation
    if (!refused) return
    void this.dropFirst()
    this.add({ kind: 'release', image: refused.image, assignment: refused.assignment })
  }

  /** Resolves once all is sent that can be sent now. What is left then, a later page sends. */
  settled(): Promise<void> {
    return new Promise(resolve => {
      const stop = this.subscribe(() => look())
      const look = () => {
        const { name } = this.state
        if (name === 'saving' || (name !== 'waiting' && this.next())) return
        stop()
        void this.writing.then(resolve)
      }
      look()
    })
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  getState = (): SavingState => this.state

  /** One write to the journal after the other. Where there is no journal, the page itself is all that keeps the work. */
  private keep(entry: Kept): void {
    const { name, operation } = entry
    this.writing = this.writing
      .then(() => this.journal.write({ name, operation }))
      .then(
        () => {
          entry.keeping = 'kept'
        },
        (error: unknown) => {
          // One that was kept before still is, though not as it was changed since.
          if (entry.keeping === 'coming') entry.keeping = 'failed'
          this.journalProblem = messageOf(error)
        },
      )
  }

  private forget({ name }: Kept): void {
    // One that stays in the journal is sent once more by a later page, and the server answers it the same.
    this.writing = this.writing.then(() => this.journal.remove(name)).catch(() => {})
  }

  /** Whether another tab has sent it: it was in the journal, and is no more. */
  private async isSentElsewhere({ name, keeping }: Kept): Promise<boolean> {
    return keeping === 'kept' && !(await this.journal.has(name).catch(() => true))
  }

  private confirm({ operation }: Kept): void {
    const nth = this.confirmations++
    this.confirmed.push({ nth, operation })
    // Whoever gets the photo next is told of all its masks.
    if (CLOSING.includes(operation.kind))
      this.confirmed = this.confirmed.filter(one => one.operation.image !== operation.image)
  }

  private change(edit: (operation: Operation) => Operation | null): void {
    for (const entry of this.entries) {
      const edited = edit(entry.operation)
      if (!edited) continue
      entry.operation = edited
      this.keep(entry)
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
      this.become(this.stuckOrSaved())
    } catch (error) {
      this.waitFor(error)
    } finally {
      this.isSending = false
    }
    // Something may have come while the last answer was on its way.
    if (this.state.name !== 'waiting' && this.next()) this.start()
  }

  private stuckOrSaved(): SavingState {
    const [first] = this.held
    if (!first) return { name: 'saved' }
    const [image, refused] = first
    const held = this.entries.filter(({ operation }) => operation.image === image)
    return { name: 'stuck', unsent: this.entries.length, unkept: this.unkept, held, ...refused }
  }

  private next(): Kept | undefined {
    return this.entries.find(({ operation }) => !this.held.has(operation.image))
  }

  private async sendEach(): Promise<void> {
    await this.forgetWhatOthersSent()
    for (let first = this.next(); first; first = this.next()) {
      this.become({ name: 'saving', unsent: this.entries.length })
      await this.writing
      const { operation } = first
      if (!(await this.isSentElsewhere(first))) {
        try {
          await this.send(first)
        } catch (error) {
          if (isPassing(error)) throw error
          const { code, extra } = error instanceof ApiError ? error : { code: 'fault', extra: {} }
          this.held.set(operation.image, { why: messageOf(error), code, extra })
          continue
        }
      }
      this.pauseMs = FIRST_PAUSE_MS
      this.entries = this.entries.filter(entry => entry !== first)
      this.confirm(first)
      this.forget(first)
    }
    await this.writing
  }

  /** A window that took a photo over sends, or gives up, what was refused here. */
  private async forgetWhatOthersSent(): Promise<void> {
    if (!this.held.size) return
    await this.writing
    for (const entry of [...this.entries]) {
      if (!this.held.has(entry.operation.image) || !(await this.isSentElsewhere(entry))) continue
      this.entries = this.entries.filter(other => other !== entry)
      this.confirm(entry)
    }
    const left = new Set(this.entries.map(({ operation }) => operation.image))
    for (const image of [...this.held.keys()]) if (!left.has(image)) this.held.delete(image)
  }

  private waitFor(error: unknown): void {
    const { unkept } = this
    this.become({ name: 'waiting', unsent: this.entries.length, why: messageOf(error), unkept })
    this.timer = setTimeout(() => this.start(), this.pauseMs)
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS)
  }

  private async send(entry: Kept): Promise<void> {
    const { kind, image, assignment } = entry.operation
    try {
      await this.tell(entry.operation)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.code === IN_ANOTHER_TAB) {
        // Who only looks gives nothing back.
        if (kind === 'release') return
        const heir = await this.serverOf(entry.operation.tab).succeed(assignment, String(error.extra.tab))
        if (heir === null || heir === entry.operation.tab) throw error
        this.rename(image, heir)
      } else if (error.code === 'assignment_not_held') {
        // A lease that is over is all that giving back wanted. A skip has to be written down, or the photo comes again.
        if (kind === 'release') return
        try {
          if (!(await this.reopen(image, assignment, entry.operation.tab))) throw error
        } catch (refusal) {
          // It is not the person's any more: there is nothing that anybody could decide about the skip.
          if (kind === 'skip' && refusal instanceof ApiError && !isPassing(refusal)) return
          throw refusal
        }
      } else throw error
      await this.tell(entry.operation)
    }
  }

  private rename(image: string, tab: string): void {
    this.change(operation => (operation.image === image ? { ...operation, tab } : null))
  }

  private move(from: string, to: Leased & { asOf: number }): void {
    this.change(operation => {
      if (operation.assignment !== from) return null
      if (operation.kind !== 'put') return { ...operation, assignment: to.id }
      return { ...operation, assignment: to.id, body: { ...operation.body, assignment: to.id } }
    })
    this.onMoved(from, to)
  }

  private async tell(operation: Operation): Promise<void> {
    const server = this.serverOf(operation.tab)
    switch (operation.kind) {
      case 'put':
        return server.put(operation.id, operation.body)
      case 'remove':
        return server.remove(operation.id)
      case 'submit':
        return server.submit(operation.assignment, operation.masks, operation.complete ?? false)
      case 'skip':
        return server.skip(operation.assignment, operation.reason)
      case 'release':
        return server.release(operation.assignment)
      default:
        // A newer page wrote it, and this one is older: kept until one that understands it is open.
        throw new ApiError(
          0,
          'unknown_operation',
          t('Another version of this page made this; reload the page to save it.'),
        )
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
