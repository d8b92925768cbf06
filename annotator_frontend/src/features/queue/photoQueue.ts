import { ApiError, isPassing, type Schemas } from '@/shared/api/client'

/** `asOf`: how many operations had been confirmed when the server was asked for it. */
export type Assignment = Schemas['AssignmentJson'] & { asOf?: number }
export type Reason = Schemas['ReasonEnum']

/** The one at hand and two more, so that a train in a tunnel is no break; as many as the server leases to one person. */
const HELD = 3
const RENEW_EVERY_MS = 4 * 60_000
const ASK_AGAIN_MS = 1500
const ASK_SOON_MS = 300
const MOST_SOON = 20 // what is not through by then may never be
/** Many changes in a row ask the server once. */
const GATHER_MS = 5000

export interface QueueServer {
  /** @param besides assignments that are held, or done with. */
  next(besides: string[]): Promise<Schemas['NextJson']>
  open(image: string): Promise<Schemas['AssignmentJson']>
  renew(assignment: string): Promise<void>
}

/** What the page around the queue knows, and does for it. */
export interface QueueSurroundings {
  /** Assignments that are as good as closed, though the server may not know yet. */
  closing: () => readonly string[]
  /** How many operations the server has confirmed so far. */
  asOf: () => number
  /** Whether nobody is there, and nothing that was made waits to be sent. */
  isAway: () => boolean
  /** Which of those that are held are this window's to renew. */
  isOwn: (assignment: Assignment) => boolean
  /** When the page is left, photos go back to the others; masks that were made stay. */
  onLeave: (held: readonly Assignment[]) => void
  /** The lease of the photo at hand ran out. */
  onLost: (assignment: Assignment) => void
  onError: (error: unknown) => void
}

export interface QueueState {
  /** The photo at hand, and those that come after it. */
  held: readonly Assignment[]
  /** Why there is no photo; null while one is coming. */
  reason: Reason | null
}

/**
 * The photo at hand and those after it, all leased for as long as somebody is at the page. Where nobody is, leases run out, so that
 * others get the photos, and none is asked for.
 */
export class PhotoQueue {
  private state: QueueState = { held: [], reason: null }
  private readonly listeners = new Set<() => void>()
  private readonly finished = new Set<string>()
  private isBusy = false
  private isRunning = false
  /** How often it was asked again while something was on its way. */
  private soon = 0
  private again: ReturnType<typeof setTimeout> | undefined
  private waking: ReturnType<typeof setTimeout> | undefined
  private renewing: ReturnType<typeof setInterval> | undefined

  /** @param image the photo to begin with; null: whichever comes. */
  constructor(
    private readonly server: QueueServer,
    private image: string | null,
    public surroundings: QueueSurroundings,
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  getState = (): QueueState => this.state

  start(): void {
    this.isRunning = true
    this.renewing = setInterval(() => this.renew(), RENEW_EVERY_MS)
    void this.fill()
  }

  /** The page is left. */
  stop(): void {
    this.isRunning = false
    clearInterval(this.renewing)
    clearTimeout(this.again)
    clearTimeout(this.waking)
    this.waking = undefined
    this.surroundings.onLeave(this.state.held)
  }

  /** Somebody is there again, or the network: leases that ran out meanwhile are noticed now. */
  goOn = (): void => {
    this.renew()
    void this.fill()
  }

  /** Something has changed in the dataset: where there was no photo, there may be one now. */
  changed = (): void => {
    if (this.state.reason === null || !this.isRunning) return
    this.waking ??= setTimeout(() => {
      this.waking = undefined
      void this.fill()
    }, GATHER_MS)
  }

  /** Done with this one: the next takes its place at once. */
  advance = (done: Assignment): void => {
    this.finished.add(done.id)
    // By its photo: its lease may have been taken again under another id this very moment.
    this.become({ held: this.state.held.filter(({ image: { id } }) => id !== done.image.id) })
    void this.fill()
  }

  /** A lease that ran out was taken again under another id; others may have made masks meanwhile. */
  move = (from: string, to: Assignment): void => {
    this.finished.add(to.id) // whoever asks next is not to get it a second time
    // The model stays the one that the photo was opened with.
    const moved = (one: Assignment) => (one.id === from ? { ...to, checkpoint: one.checkpoint } : one)
    this.become({ held: this.state.held.map(moved) })
  }

  /** What the server has said of one since. */
  replace = (changed: Assignment): void => {
    this.become({ held: this.state.held.map(one => (one.id === changed.id ? changed : one)) })
  }

  private become(change: Partial<QueueState>): void {
    this.state = { ...this.state, ...change }
    for (const listener of this.listeners) listener()
  }

  private renew(): void {
    const { isAway, isOwn } = this.surroundings
    if (isAway()) return
    for (const held of this.state.held.filter(isOwn)) {
      this.server.renew(held.id).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.code !== 'assignment_not_held') return
        const [atHand, ...ahead] = this.state.held
        if (atHand?.id === held.id) this.surroundings.onLost(atHand)
        else if (ahead.some(({ id }) => id === held.id)) {
          // One that waits can go back.
          this.become({ held: this.state.held.filter(({ id }) => id !== held.id) })
          void this.fill()
        }
      })
    }
  }

  private async fill(): Promise<void> {
    if (this.isBusy || !this.isRunning || this.state.held.length >= HELD || this.surroundings.isAway()) return
    this.isBusy = true
    clearTimeout(this.again)
    let pauseMs = 0
    try {
      pauseMs = await this.askForOne()
    } catch (error) {
      const isRefused = this.image !== null && error instanceof ApiError && !isPassing(error)
      if (isRefused) this.image = null // somebody else has it: then whichever comes
      pauseMs = isRefused ? 1 : 10 * ASK_AGAIN_MS
      if (this.isRunning) this.surroundings.onError(error)
    } finally {
      this.isBusy = false
    }
    if (pauseMs && this.isRunning) this.again = setTimeout(() => void this.fill(), pauseMs)
  }

  /** Returns after how long it is worth asking again; 0: not by itself. */
  private async askForOne(): Promise<number> {
    const { closing, asOf: confirmed, onLeave } = this.surroundings
    // What was just submitted counts as open until the server has heard of it.
    const isAnyClosing = closing().length > 0
    const asOf = confirmed()
    const besides = [...this.state.held.map(({ id }) => id), ...this.finished]
    const { assignment, reason } =
      this.image === null
        ? await this.server.next(besides)
        : { assignment: await this.server.open(this.image), reason: null }
    this.image = null
    if (assignment) {
      if (!this.isRunning) onLeave([assignment])
      else if (closing().includes(assignment.id)) this.finished.add(assignment.id)
      else if (!this.state.held.some(({ image: { id } }) => id === assignment.image.id))
        this.become({ held: [...this.state.held, { ...assignment, asOf }], reason: null })
      else return 0
      return 1
    }
    if (isAnyClosing && reason !== 'nothing_left' && this.soon++ < MOST_SOON) return ASK_SOON_MS
    this.soon = 0
    if (!this.state.held.length) this.become({ reason })
    if (reason === 'too_many_open') return ASK_AGAIN_MS
    return reason === 'all_open_elsewhere' ? 10 * ASK_AGAIN_MS : 0
  }
}
