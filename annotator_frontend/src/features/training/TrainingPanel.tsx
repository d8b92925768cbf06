import { Alert, Badge, Button, Group, NumberInput, Progress, Stack, Switch, Table, Text } from '@mantine/core'
import { useState } from 'react'
import type { Schemas } from '@/shared/api/client'
import { tellError } from '@/shared/ui/notify'
import { Plot } from '@/shared/ui/Plot'
import { Section } from '@/shared/ui/Section'
import { count, seconds, when } from '@/shared/ui/words'
import {
  type TrainingRun,
  useCancelTraining,
  useDeploy,
  usePolicy,
  useRetrain,
  useSetPolicy,
  useTrainingRuns,
} from './queries'

const UNFINISHED = ['waiting', 'training', 'evaluating']
const DECISIONS = {
  promoted: ['teal', 'Promoted'],
  refused: ['red', 'Refused'],
  insufficient_evidence: ['yellow', 'Insufficient evidence'],
} as const

interface TrainingPanelProps {
  dataset: string
  isAdmin: boolean
}

/** Retrain, and what the gate decided. */
export function TrainingPanel({ dataset, isAdmin }: TrainingPanelProps) {
  const runs = useTrainingRuns(dataset)
  const retrain = useRetrain(dataset)
  const [newest, ...older] = runs.data ?? []
  const isRunning = newest !== undefined && UNFINISHED.includes(newest.state)
  return (
    <Section
      title="Retraining"
      about="The model learns from every mask so far, and takes over only if it is better on the test photos."
      action={
        isAdmin && (
          <Button
            onClick={() => retrain.mutate(undefined, { onError: tellError })}
            loading={retrain.isPending}
            disabled={isRunning}
          >
            Retrain
          </Button>
        )
      }
    >
      {newest ? (
        <Run run={newest} dataset={dataset} isAdmin={isAdmin} />
      ) : (
        <Text c="dimmed" size="sm">
          Not trained yet.
        </Text>
      )}
      {older.length > 0 && (
        <Table verticalSpacing={4} fz="sm">
          <Table.Tbody>
            {older.map(run => (
              <Table.Tr key={run.id}>
                <Table.Td>{when(run.created_at)}</Table.Td>
                <Table.Td>{count(run.mask_count, 'mask')}</Table.Td>
                <Table.Td>
                  <Outcome run={run} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {isAdmin && <PolicyForm dataset={dataset} />}
    </Section>
  )
}

function Outcome({ run }: { run: TrainingRun }) {
  if (run.decision) {
    const [colour, name] = DECISIONS[run.decision]
    return (
      <Badge color={colour} variant="light">
        {name}
      </Badge>
    )
  }
  const colour = run.state === 'failed' ? 'red' : run.state === 'cancelled' ? 'gray' : 'blue'
  return (
    <Badge color={colour} variant="light">
      {run.state}
    </Badge>
  )
}

function Run({ run, dataset, isAdmin }: { run: TrainingRun; dataset: string; isAdmin: boolean }) {
  const cancel = useCancelTraining(dataset)
  const isRunning = UNFINISHED.includes(run.state)
  const { progress } = run
  return (
    <Stack gap="sm" data-testid="newest-run">
      <Group justify="space-between">
        <Group gap="xs">
          <Outcome run={run} />
          <Text size="sm" c="dimmed">
            {count(run.mask_count, 'mask')} on {count(run.image_count, 'photo')}, {when(run.created_at)}
          </Text>
        </Group>
        {isRunning && isAdmin && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => cancel.mutate(run.id, { onError: tellError })}
          >
            Cancel
          </Button>
        )}
      </Group>
      {isRunning && (
        <div>
          <Progress
            value={run.state === 'evaluating' ? 100 : progress ? (100 * progress.step) / progress.steps : 0}
            animated
            aria-label="Training"
          />
          <Text size="xs" c="dimmed" mt={4}>
            {run.state === 'waiting' && 'Waiting for the training worker.'}
            {run.state === 'training' &&
              (progress
                ? `Step ${progress.step} of ${progress.steps}, loss ${progress.loss.toFixed(3)}, ${seconds(progress.seconds_left)} left.`
                : 'Getting the photos ready.')}
            {run.state === 'evaluating' && 'The gate compares it with the live model on the test photos.'}
          </Text>
        </div>
      )}
      {run.error && <Alert color="red">{run.error}</Alert>}
      {run.history.length > 1 && (
        <Plot
          series={[
            {
              name: 'loss',
              colour: '#4fd1c5',
              points: run.history.map(({ step, loss }) => [step, loss] as const),
            },
          ]}
          summary={`Loss from ${run.history[0]!.loss.toFixed(2)} to ${run.history.at(-1)!.loss.toFixed(2)} over ${run.history.length} reports`}
          label={y => y.toFixed(2)}
          height={110}
        />
      )}
      {run.verdict && <Verdict run={run} verdict={run.verdict} dataset={dataset} isAdmin={isAdmin} />}
    </Stack>
  )
}

interface VerdictProps {
  run: TrainingRun
  verdict: Schemas['VerdictOfGateJson']
  dataset: string
  isAdmin: boolean
}

function Verdict({ run, verdict, dataset, isAdmin }: VerdictProps) {
  const deploy = useDeploy(dataset)
  return (
    <Stack gap="xs">
      <Text size="sm">{verdict.reason}</Text>
      {verdict.figures.length > 0 && (
        <Table verticalSpacing={4} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>On {count(verdict.evidence.images, 'test photo')}</Table.Th>
              <Table.Th ta="right">Live</Table.Th>
              <Table.Th ta="right">Candidate</Table.Th>
              <Table.Th ta="right">Difference, 95%</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {verdict.figures.map(figure => (
              <Table.Tr key={figure.key}>
                <Table.Td>{figure.name}</Table.Td>
                <Table.Td ta="right">{figure.live.toFixed(3)}</Table.Td>
                <Table.Td ta="right">{figure.candidate.toFixed(3)}</Table.Td>
                <Table.Td ta="right">
                  {signed(figure.difference)} [{signed(figure.low)}, {signed(figure.high)}]
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {run.decision === 'insufficient_evidence' && run.candidate && isAdmin && (
        <Group>
          <Button
            size="xs"
            variant="default"
            onClick={() => deploy.mutate(run.candidate!, { onError: tellError })}
          >
            Make it live anyway
          </Button>
        </Group>
      )}
    </Stack>
  )
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
}

function PolicyForm({ dataset }: { dataset: string }) {
  const { data: policy } = usePolicy(dataset)
  const set = useSetPolicy(dataset)
  const [masks, setMasks] = useState<number | null>(null)
  if (!policy) return null
  const wanted = masks ?? policy.after_new_masks ?? 100
  return (
    <Group gap="md" align="center">
      <Switch
        label="Retrain by itself after"
        checked={policy.enabled ?? false}
        onChange={event =>
          set.mutate(
            { enabled: event.currentTarget.checked, after_new_masks: wanted },
            { onError: tellError },
          )
        }
      />
      <NumberInput
        aria-label="New masks before it retrains"
        size="xs"
        w={90}
        min={1}
        value={wanted}
        onChange={value => setMasks(Number(value) || 1)}
        onBlur={() => masks && set.mutate({ after_new_masks: masks }, { onError: tellError })}
      />
      <Text size="sm">new masks</Text>
      {policy.enabled && (
        <Text size="xs" c="dimmed">
          {policy.why}
        </Text>
      )}
    </Group>
  )
}
