import { ApiError, Unreachable } from '@/shared/api/client'

/** One thing that the server has to be told, in order. Plain data: it survives a reload in the journal. */
export type Operation =
  | { kind: 'put'; id: string; image: string; assignment: string; body: Record<string, unknown> }
  | { kind: 'remove'; id: string; image: string; assignment: string }
  | { kind: 'submit'; image: string; assignment: string; masks: string[] }

export interface Journal {
  read(): Promise<Operation[]>
  write(operations: readonly Operation[]): Promise<void>
}

export interface Server {
  put(id: string, body: Record<string, unknown>): Promise<void>
  remove(id: string): Promise<void>
  submit(assignment: string, masks: string[]): Promise<void>
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

/**
 * Sends operations in the order in which they were made, each until the server has confirmed it. They are in the journal
 * before they are sent, and leave it only after.
 */
export class Outbox {
  private operations: Operation[] = []
  private isSending = false
  private pauseMs = FIRST_PAUSE_MS
  private timer: ReturnType<typeof setTimeout> | undefined
  private writing: Promise<void> = Promise.resolve()
  private readonly listeners = new Set<() => void>()
  state: SavingState = { name: 'saved' }

  constructor(
    private readonly server: Server,
    private readonly journal: Journal,
    private readonly onConfirmed: (operation: Operation) => void = () => {},
  ) {}

  /** What an earlier page left unsent goes first. */
  async resume(): Promise<void> {
    const left = await this.journal.read()
    this.operations = [...left, ...this.operations]
    if (left.length) this.kick()
  }

  add(operation: Operation): void {
    this.operations.push(operation)
    this.save()
    this.kick()
  }

  /** Ids of masks of a photo that are not confirmed. */
  unsentFor(image: string): Operation[] {
    return this.operations.filter(operation => operation.image === image)
  }

  /** Try at once, whatever the pause: the network is back, or somebody logged in again. */
  kick(): void {
    clearTimeout(this.timer)
    if (!this.isSending) void this.sendAll()
  }

  /** Give the first operation up: the answer to `stuck`. */
  dropFirst(): void {
    this.operations.shift()
    this.save()
    this.kick()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  getState = (): SavingState => this.state

  private save(): void {
    // One write after the other, each of what is current then.
    this.writing = this.writing.then(() => this.journal.write(this.operations)).catch(() => {})
  }

  private become(state: SavingState): void {
    this.state = state
    for (const listener of this.listeners) listener()
  }

  private async sendAll(): Promise<void> {
    this.isSending = true
    try {
      while (this.operations.length) {
        const first = this.operations[0]!
        this.become({ name: 'saving', unsent: this.operations.length })
        await this.writing
        await this.send(first)
        this.pauseMs = FIRST_PAUSE_MS
        this.operations.shift()
        this.save()
        this.onConfirmed(first)
      }
      await this.writing
      this.become({ name: 'saved' })
    } catch (error) {
      this.stopFor(error)
    } finally {
      this.isSending = false
    }
    // Something may have come while the last answer was on its way.
    if (this.state.name === 'saved' && this.operations.length) this.kick()
  }

  private stopFor(error: unknown): void {
    const unsent = this.operations.length
    const why = error instanceof Error ? error.message : String(error)
    const isPassing =
      error instanceof Unreachable ||
      (error instanceof ApiError && (error.status >= 500 || error.status === 429))
    if (!isPassing && !(error instanceof ApiError && error.status === 401)) {
      this.become({ name: 'stuck', unsent, why, code: error instanceof ApiError ? error.code : 'fault' })
      return
    }
    this.become({ name: 'waiting', unsent, why })
    this.timer = setTimeout(() => this.kick(), this.pauseMs)
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS)
  }

  private async send(operation: Operation): Promise<void> {
    try {
      await this.tell(operation)
    } catch (error) {
      const wasLost = error instanceof ApiError && error.code === 'assignment_not_held'
      if (!wasLost || operation.kind === 'remove') throw error
      // The lease ran out. Take the photo again, if nobody else has it, and move all that is unsent for it over.
      const assignment = await this.server.reopen(operation.image)
      if (assignment === operation.assignment) throw error
      this.move(operation.assignment, assignment)
      await this.tell(operation)
    }
  }

  private move(from: string, to: string): void {
    for (const operation of this.operations) {
      if (operation.assignment !== from) continue
      operation.assignment = to
      if (operation.kind === 'put') operation.body = { ...operation.body, assignment: to }
    }
    this.save()
  }

  private tell(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case 'put':
        return this.server.put(operation.id, operation.body)
      case 'remove':
        return this.server.remove(operation.id)
      case 'submit':
        return this.server.submit(operation.assignment, operation.masks)
    }
  }
}
