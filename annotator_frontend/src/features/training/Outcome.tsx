import { Badge } from '@mantine/core'
import { t } from '@/shared/i18n'
import type { DetectorRun, TrainingRun } from './queries'

type State = TrainingRun['state'] | DetectorRun['state']

export const UNFINISHED: readonly State[] = ['waiting', 'training', 'evaluating']

const STATE_COLOURS: Partial<Record<State, string>> = { failed: 'red', cancelled: 'gray', done: 'teal' }

function stateName(state: State): string {
  return {
    waiting: t('Waiting'),
    training: t('Training'),
    evaluating: t('Evaluating'),
    done: t('Done'),
    failed: t('Failed'),
    cancelled: t('Cancelled'),
  }[state]
}

/** What the gate decided of a run, or how far it is. */
export function Outcome({ run }: { run: Pick<TrainingRun, 'state' | 'decision'> }) {
  const decided = {
    promoted: ['teal', t('Promoted')],
    refused: ['red', t('Refused')],
    insufficient_evidence: ['yellow', t('Insufficient evidence')],
  } as const
  if (!run.decision) return <StateBadge state={run.state} />
  const [colour, name] = decided[run.decision]
  return (
    <Badge color={colour} variant="light">
      {name}
    </Badge>
  )
}

export function StateBadge({ state }: { state: State }) {
  return (
    <Badge color={STATE_COLOURS[state] ?? 'blue'} variant="light">
      {stateName(state)}
    </Badge>
  )
}
