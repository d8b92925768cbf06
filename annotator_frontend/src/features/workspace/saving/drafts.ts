import { createStore, del, get, set } from 'idb-keyval'
import { Signal } from '@/shared/api/signal'
import { type Draft, packedDraft } from '../editor/draft'

/** Where the object in work lies, which nobody has accepted yet: one for each person and photo. */
export interface DraftStore {
  read(photo: string): Promise<unknown>
  write(photo: string, draft: Draft): Promise<void>
  remove(photo: string): Promise<void>
}

export function draftsOf(user: string): DraftStore {
  const store = createStore('maskloop-drafts', 'drafts')
  return {
    read: photo => get(`${user}/${photo}`, store),
    write: (photo, draft) => set(`${user}/${photo}`, packedDraft(draft), store),
    remove: photo => del(`${user}/${photo}`, store),
  }
}

/**
 * Writes the newest draft, and none that another has overtaken: one write at a time, each begun at once.
 */
export class DraftKeeper {
  private waiting: { photo: string; draft: Draft | null } | null = null
  private writing: Promise<void> | null = null
  /** Why the object in work is in this page alone; null: it is kept, or there is none. */
  readonly unkept = new Signal<string | null>(null)

  /** @param journal what the object in work may have become: it is written before the draft goes. */
  constructor(
    private readonly store: DraftStore,
    private readonly journal: () => Promise<void> = async () => {},
  ) {}

  /** @param draft null: there is nothing in work. */
  keep(photo: string, draft: Draft | null): void {
    // Another photo's is not overtaken.
    if (this.waiting && this.waiting.photo !== photo) void this.write(this.waiting)
    this.waiting = { photo, draft }
    this.writing ??= this.writeAll().finally(() => {
      this.writing = null
    })
  }

  async read(photo: string): Promise<unknown> {
    await this.writing
    return this.store.read(photo).catch(() => undefined)
  }

  private async writeAll(): Promise<void> {
    while (this.waiting) {
      const newest = this.waiting
      this.waiting = null
      await this.write(newest)
    }
  }

  private async write({ photo, draft }: { photo: string; draft: Draft | null }): Promise<void> {
    try {
      if (draft === null) {
        this.unkept.set(null)
        await this.journal()
        await this.store.remove(photo)
      } else {
        await this.store.write(photo, draft)
        this.unkept.set(null)
      }
    } catch (error) {
      // One that could not be removed comes back, and nothing is lost by that.
      if (draft !== null) this.unkept.set(error instanceof Error ? error.message : String(error))
    }
  }
}
