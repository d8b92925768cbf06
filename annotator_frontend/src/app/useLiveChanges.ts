import { useQueryClient } from '@tanstack/react-query'
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
  detector: ['detector-runs', 'review'],
  release: ['releases'],
  deployment: ['checkpoints'],
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

/** What the server says has changed is asked for again. */
export function useLiveChanges(): void {
  const queries = useQueryClient()
  useEffect(() => {
    const waiting = new Map<string, Set<string>>()
    let timer: ReturnType<typeof setTimeout> | undefined
    let due = Number.POSITIVE_INFINITY
    // What is on its way is not begun anew: under many changes in a row it would never arrive.
    const again = (queryKey: string[], exact = false) =>
      void queries.invalidateQueries(
        { queryKey, exact, predicate: query => query.queryKey[2] !== FIGURES },
        { cancelRefetch: false },
      )
    const markOld = (dataset: string) =>
      void queries.invalidateQueries({ queryKey: ['dataset', dataset, FIGURES], refetchType: 'none' })
    const refresh = () => {
      timer = undefined
      due = Number.POSITIVE_INFINITY
      // It may have been read before the change: ask after it has arrived.
      if (queries.isFetching({ queryKey: ['dataset'] })) return refreshIn(GATHER_MS)
      for (const [dataset, kinds] of waiting) {
        const parts = [...kinds].map(kind => PARTS[kind])
        // What is not listed, automatic runs above all, shows everywhere.
        if (parts.includes(undefined)) again(['dataset', dataset])
        else {
          for (const part of new Set(parts.flat()))
            again(['dataset', dataset, ...(part ? [part] : [])], part === SUMMARY)
        }
        markOld(dataset)
      }
      again(['datasets'])
      again(['me'])
      waiting.clear()
    }
    const refreshIn = (milliseconds: number) => {
      const at = performance.now() + milliseconds
      if (at >= due) return
      clearTimeout(timer)
      due = at
      timer = setTimeout(refresh, milliseconds)
    }
    const onChange = ({ kind, dataset }: Change) => {
      const kinds = waiting.get(dataset) ?? new Set()
      const subject = kind.split('.')[0]!
      waiting.set(dataset, kinds.add(subject))
      refreshIn(subject === 'mask' ? GATHER_MASKS_MS : GATHER_MS)
    }
    const stop = listen(onChange, () => void queries.invalidateQueries())
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [queries])
}
