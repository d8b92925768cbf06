import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { type Change, listen } from '@/shared/api/changes'

/** Many changes in a row ask the server once. */
const GATHER_MS = 400

/** Which parts of a dataset's page a kind of change is about. */
const PARTS: Record<string, readonly string[]> = {
  training_run: ['training-runs', 'checkpoints', 'policy'],
  release: ['releases'],
  deployment: ['checkpoints'],
  checkpoint: ['checkpoints'],
  member: ['members'],
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
    const refresh = () => {
      timer = undefined
      for (const [dataset, kinds] of waiting) {
        const parts = [...kinds].map(kind => PARTS[kind])
        // What is not listed, masks and automatic runs above all, shows everywhere.
        if (parts.includes(undefined)) void queries.invalidateQueries({ queryKey: ['dataset', dataset] })
        else {
          for (const part of new Set(parts.flat()))
            void queries.invalidateQueries({ queryKey: ['dataset', dataset, part] })
        }
      }
      void queries.invalidateQueries({ queryKey: ['datasets'] })
      void queries.invalidateQueries({ queryKey: ['me'] })
      waiting.clear()
    }
    const onChange = ({ kind, dataset }: Change) => {
      const kinds = waiting.get(dataset) ?? new Set()
      waiting.set(dataset, kinds.add(kind.split('.')[0]!))
      timer ??= setTimeout(refresh, GATHER_MS)
    }
    const stop = listen(onChange, () => void queries.invalidateQueries())
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [queries])
}
