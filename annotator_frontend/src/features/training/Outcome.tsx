import { Alert, Badge } from '@mantine/core'
import { t } from '@/shared/i18n'
import type { DetectorRun, TrainingRun } from './queries'
import { decisionInWords } from './words'

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
  if (!run.decision) return <StateBadge state={run.state} />
  return <Badge {...decisionInWords(run.decision)} variant="light" />
}

/** Why a run failed, or was interrupted: then it is not over. What came of a run that is over says nothing of interruptions. */
export function Trouble({
  run: { state, error },
}: {
  run: Pick<TrainingRun | DetectorRun, 'state' | 'error'>
}) {
  const isFailed = state === 'failed'
  if (!error || !(isFailed || UNFINISHED.includes(state))) return null
  const title = isFailed ? t('This training failed') : t('It was interrupted, and is tried again')
  return (
    <Alert color={isFailed ? 'red' : 'yellow'} title={title}>
      {error}
    </Alert>
  )
}

export function StateBadge({ state }: { state: State }) {
  return (
    <Badge color={STATE_COLOURS[state] ?? 'blue'} variant="light">
      {stateName(state)}
    </Badge>
  )
}
