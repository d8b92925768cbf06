import { type Query, type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { type Change, listen } from '@/shared/api/changes'

/** Many changes in a row ask the server once. */
const GATHER_MS = 400
/** Of masks there are many, and none is waited for. */
const GATHER_MASKS_MS = 2500

/** The dataset itself, without its parts. */
const SUMMARY = ''
/** Reckoned from all masks: whatever changes only marks them as old, and the dashboard asks in its own time. */
const FIGURES = 'figures'

/** Which parts of a dataset's page a kind of change is about. */
const PARTS: Record<string, readonly string[]> = {
  mask: [SUMMARY, 'photos', 'policy', 'audit', 'review'],
  training_run: ['training-runs', 'checkpoints', 'policy'],
  detector_run: ['detector-runs'],
  detector: ['detector-runs', 'review', 'thresholds'],
  release: ['releases'],
  deployment: ['checkpoints', 'thresholds', 'review', 'audit'],
  checkpoint: ['checkpoints'],
  member: [SUMMARY, 'members'],
  invitation: ['invitations', 'members'],
  s3_import: ['s3-imports'],
  retrain_policy: ['policy'],
  gate_rule: ['gate-rule'],
  thresholds: ['thresholds'],
  audit: ['audit'],
  audit_plan: ['audit'],
}

/** Longer than this a change does not wait for what is on its way: on a busy page there is always something. */
const LONGEST_WAIT_MS = 5000

/** What the server says has changed is asked for again. */
export function useLiveChanges(): void {
  const queries = useQueryClient()
  useEffect(() => {
    const refresher = new Refresher(queries)
    const stop = listen(
      change => refresher.note(change),
      () => void queries.invalidateQueries(),
    )
    return () => {
      stop()
      refresher.stop()
    }
  }, [queries])
}

/** Gathers changes, and then asks again for what they are about: once, and not before what is on its way has arrived. */
export class Refresher {
  private readonly waiting = new Map<string, Set<string>>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private due = Number.POSITIVE_INFINITY
  /** When the oldest of the changes that wait should have been asked about. */
  private late = Number.POSITIVE_INFINITY

  /** On their way since a change was known: they answer to some change, and are not begun anew for the next one. */
  private readonly answering = new WeakSet<Query>()
  /** Those of them that are asked again once they have arrived. */
  private readonly again = new Set<Query>()
  private readonly leave: () => void

  constructor(private readonly queries: QueryClient) {
    this.leave = queries.getQueryCache().subscribe(({ type, query, ...event }) => {
      const action = type === 'updated' && 'action' in event ? event.action : null
      if (action?.type === 'fetch') {
        if (this.waiting.size) this.answering.add(query)
        else this.answering.delete(query)
      } else if (action?.type === 'error' || (action?.type === 'success' && !action.manual)) {
        if (this.again.delete(query)) queueMicrotask(() => this.askForOne(query))
      }
    })
  }

  note({ kind, dataset }: Change): void {
    const kinds = this.waiting.get(dataset) ?? new Set()
    const subject = kind.split('.')[0]!
    this.waiting.set(dataset, kinds.add(subject))
    this.refreshIn(subject === 'mask' ? GATHER_MASKS_MS : GATHER_MS)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.leave()
  }

  private refreshIn(milliseconds: number): void {
    const at = Date.now() + milliseconds
    if (at >= this.due) return
    clearTimeout(this.timer)
    this.due = at
    this.timer = setTimeout(() => this.refresh(), milliseconds)
  }

  private refresh(): void {
    this.due = Number.POSITIVE_INFINITY
    this.late = Math.min(this.late, Date.now())
    const isTooLate = Date.now() - this.late >= LONGEST_WAIT_MS
    // It may have been read before the change: ask after it has arrived.
    if (this.queries.isFetching({ queryKey: ['dataset'] }) && !isTooLate) {
      this.refreshIn(GATHER_MS)
      return
    }
    this.late = Number.POSITIVE_INFINITY
    for (const [dataset, kinds] of this.waiting) {
      const parts = [...kinds].map(kind => PARTS[kind])
      // What is not listed, automatic runs above all, shows everywhere.
      if (parts.includes(undefined)) this.askAgain(['dataset', dataset], isTooLate)
      else {
        for (const part of new Set(parts.flat()))
          this.askAgain(['dataset', dataset, ...(part ? [part] : [])], isTooLate, part === SUMMARY)
      }
      const figures = ['dataset', dataset, FIGURES]
      void this.queries.invalidateQueries({ queryKey: figures, refetchType: 'none' })
    }
    this.askAgain(['datasets'], isTooLate)
    this.askAgain(['me'], isTooLate)
    this.waiting.clear()
  }

  /**
   * What is on its way is asked again after it has arrived; at once where that is overdue, but not what was begun for a change
   * itself: under many changes in a row a slow answer would never arrive.
   */
  private askAgain(queryKey: string[], isTooLate: boolean, exact = false): void {
    const predicate = (query: Query) => {
      if (query.queryKey[2] === FIGURES) return false
      if (query.state.fetchStatus !== 'fetching' || (isTooLate && !this.answering.has(query))) return true
      this.again.add(query)
      return false
    }
    void this.queries.invalidateQueries({ queryKey, exact, predicate }, { cancelRefetch: isTooLate })
  }

  private askForOne({ queryKey }: Query): void {
    void this.queries.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false })
  }
}
