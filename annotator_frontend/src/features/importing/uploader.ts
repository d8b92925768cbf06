import { ApiError, Unreachable } from '@/shared/api/client'

const PARALLEL = 3
const ASKED_AT_ONCE = 24
/** Each is in memory as a whole. */
const HASHED_AT_ONCE = 2
const PAUSE_MS = 4000
const TRIES = 3

/** What the uploader needs of the world: a test gives its own. */
export interface Door {
  /** SHA-256 of a file, hex; null where it cannot be had (no secure context, an archive, far too large). */
  hash: (file: File) => Promise<string | null>
  /** Which of these the dataset has. */
  known: (hashes: string[]) => Promise<string[]>
  send: (file: File) => Promise<{ imported: number; alreadyThere: number; refused: Refusal[] }>
  /** Whether it is still where it was chosen, as it was: a browser sends no other file, and says only that nothing was sent. */
  isReadable: (file: File) => Promise<boolean>
  /** Resolves after a while, or sooner when the network is back. */
  pause: (milliseconds: number) => Promise<void>
}

export interface Refusal {
  name: string
  reason: string
}

export interface Progress {
  /** Files: chosen, and looked at. */
  all: number
  done: number
  /** Photos. */
  imported: number
  alreadyThere: number
  failures: readonly (Refusal & { file: File | null })[]
  /** Why it waits, in words; null: it does not. */
  waitsFor: string | null
}

const NOTHING: Progress = { all: 0, done: 0, imported: 0, alreadyThere: 0, failures: [], waitsFor: null }

/**
 * Thousands of files on their way to a dataset, a few at a time. Files are known by their content, so whatever was sent already,
 * today or by somebody else, is not sent again: choosing the same folder once more goes on where it stopped.
 */
export class Uploader {
  progress: Progress = NOTHING
  private waiting: File[] = []
  /** Of the batch that is being sent, what is left. */
  private unsent: File[] = []
  private stops = 0
  private busy = 0
  private isStopped = false
  private readonly listeners = new Set<() => void>()

  constructor(
    private readonly door: Door,
    private readonly words: { network: string; login: string; unreadable: string },
  ) {}

  get isRunning(): boolean {
    return this.progress.done < this.progress.all
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** @param unreadable what was chosen with them and cannot be sent. */
  add(files: readonly File[], unreadable: readonly Refusal[] = []): void {
    if (!files.length && !unreadable.length) return
    if (!this.isRunning) this.progress = NOTHING
    this.isStopped = false
    this.waiting.push(...files)
    const { all, done, failures } = this.progress
    this.tell({
      all: all + files.length + unreadable.length,
      done: done + unreadable.length,
      failures: [...failures, ...unreadable.map(refusal => ({ ...refusal, file: null }))],
    })
    void this.work()
  }

  /** What is on its way arrives; the rest is not sent. */
  stop(): void {
    this.isStopped = true
    this.stops++
    const left = this.waiting.length + this.unsent.length
    this.waiting = []
    this.unsent = []
    this.tell({ all: this.progress.all - left, waitsFor: null })
  }

  /** Those that failed are sent again. */
  retry(): void {
    const files = this.progress.failures.flatMap(({ file }) => (file ? [file] : []))
    this.tell({ failures: this.progress.failures.filter(({ file }) => !file) })
    this.add(files)
  }

  private async work(): Promise<void> {
    if (this.busy) return
    this.busy = 1
    try {
      while (this.waiting.length) {
        const { stops } = this
        const missing = await this.missing(this.waiting.splice(0, ASKED_AT_ONCE))
        if (stops !== this.stops) {
          this.tell({ all: this.progress.all - missing.length })
          continue
        }
        this.unsent = missing
        await together(PARALLEL, async () => {
          for (let file = this.unsent.shift(); file; file = this.unsent.shift()) await this.deliver(file)
        })
      }
    } finally {
      this.busy = 0
    }
  }

  /** Those of a batch that the server does not have. */
  private async missing(batch: File[]): Promise<File[]> {
    const { stops } = this
    const hashes: (string | null)[] = batch.map(() => null)
    const places = [...batch.keys()]
    await together(HASHED_AT_ONCE, async () => {
      for (let at = places.shift(); at !== undefined && stops === this.stops; at = places.shift())
        hashes[at] = await this.door.hash(batch[at]!).catch(() => null)
    })
    if (stops !== this.stops) return batch
    const asked = hashes.filter(hash => hash !== null)
    if (!asked.length) return batch
    const known = new Set((await this.persist(() => this.door.known(asked)).catch(() => null)) ?? [])
    const there = batch.filter((_, index) => known.has(hashes[index]!))
    this.tell({
      done: this.progress.done + there.length,
      alreadyThere: this.progress.alreadyThere + there.length,
    })
    return batch.filter((_, index) => !known.has(hashes[index]!))
  }

  private async deliver(file: File): Promise<void> {
    try {
      const report = await this.persist(async () => {
        try {
          return await this.door.send(file)
        } catch (error) {
          // Waiting does not bring back what was deleted or changed since it was chosen.
          if (error instanceof Unreachable && !(await this.door.isReadable(file)))
            throw new Error(this.words.unreadable)
          throw error
        }
      })
      this.tell({
        done: this.progress.done + 1,
        imported: this.progress.imported + report.imported,
        alreadyThere: this.progress.alreadyThere + report.alreadyThere,
        // A file that is no photo will be none the next time either: there is nothing to send again.
        failures: [...this.progress.failures, ...report.refused.map(refusal => ({ ...refusal, file: null }))],
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.tell({
        done: this.progress.done + 1,
        failures: [...this.progress.failures, { name: nameOf(file), reason, file }],
      })
    }
  }

  /** Waits for a network or a login that is gone, however long; a server that stumbles is asked a few times. */
  private async persist<T>(ask: () => Promise<T>): Promise<T> {
    for (let stumbled = 0; ; ) {
      try {
        const answer = await ask()
        if (this.progress.waitsFor) this.tell({ waitsFor: null })
        return answer
      } catch (error) {
        const isAway = error instanceof Unreachable
        const isLoggedOut = error instanceof ApiError && error.status === 401
        const isStumbling = error instanceof ApiError && (error.status >= 500 || error.status === 429)
        if (this.isStopped || (!isAway && !isLoggedOut && !(isStumbling && ++stumbled < TRIES))) throw error
        if (isAway || isLoggedOut)
          this.tell({ waitsFor: isLoggedOut ? this.words.login : this.words.network })
        await this.door.pause(PAUSE_MS)
      }
    }
  }

  private tell(changes: Partial<Progress>): void {
    this.progress = { ...this.progress, ...changes }
    for (const listener of this.listeners) listener()
  }
}

async function together(hands: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: hands }, work))
}

/** With its folders, where it was chosen with them. */
export function nameOf(file: File): string {
  return file.webkitRelativePath || file.name
}
