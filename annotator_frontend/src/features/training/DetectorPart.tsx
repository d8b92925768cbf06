import { Button, Group, Progress, Stack, Table, Text, Title } from '@mantine/core'
import { fixed, percent, t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { masksInWords, photosInWords, when } from '@/shared/ui/words'
import { StateBadge, Trouble, UNFINISHED } from './Outcome'
import { type DetectorRun, useCancelDetector, useDetectorRuns, useTrainDetector } from './queries'
import { RunLog } from './RunLog'

const OLDER_SHOWN = 5

/** The detector that proposes: its trainings, and what it can promise. */
export function DetectorPart({ dataset, isAdmin }: { dataset: string; isAdmin: boolean }) {
  const { data: runs } = useDetectorRuns(dataset)
  const train = useTrainDetector(dataset)
  const [newest, ...older] = runs ?? []
  const isRunning = newest !== undefined && UNFINISHED.includes(newest.state)
  return (
    <Stack gap="sm" component="section" aria-label={t('Detector')}>
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div>
          <Title order={3} size="h5">
            {t('Detector')}
          </Title>
          <Text size="sm" c="dimmed">
            {t('It finds the objects to propose, and is trained with each retraining.')}
          </Text>
        </div>
        {isAdmin && (
          <Button
            size="xs"
            variant="default"
            flex="none"
            disabled={isRunning}
            loading={train.isPending}
            onClick={() => train.mutate(undefined, { onError: tellError })}
          >
            {t('Train the detector')}
          </Button>
        )}
      </Group>
      {newest && <Newest run={newest} dataset={dataset} isAdmin={isAdmin} />}
      {older.length > 0 && <Older runs={older.slice(0, OLDER_SHOWN)} />}
    </Stack>
  )
}

function Newest({ run, dataset, isAdmin }: { run: DetectorRun; dataset: string; isAdmin: boolean }) {
  const cancel = useCancelDetector(dataset)
  const { progress, state } = run
  const isRunning = UNFINISHED.includes(state)
  return (
    <Stack gap="xs" data-testid="newest-detector-run" data-state={state}>
      <Group justify="space-between" wrap="nowrap">
        <Group gap="xs">
          <StateBadge state={state} />
          <Text size="sm" c="dimmed">
            {t('{{masks}} on {{photos}}, {{when}}', {
              masks: masksInWords(run.mask_count),
              photos: photosInWords(run.image_count),
              when: when(run.created_at),
            })}
          </Text>
        </Group>
        {isRunning && isAdmin && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => cancel.mutate(run.id, { onError: tellError })}
            aria-label={t('Cancel the detector’s training')}
          >
            {t('Cancel')}
          </Button>
        )}
      </Group>
      {isRunning && (
        <div>
          <Progress
            value={progress ? (100 * progress.step) / progress.steps : 0}
            animated
            aria-label={t('Training of the detector')}
          />
          <Text size="xs" c="dimmed" mt={4}>
            {state === 'waiting' && t('Waiting for the training worker.')}
            {state === 'training' &&
              (progress
                ? t('Step {{step}} of {{steps}}.', { step: progress.step, steps: progress.steps })
                : t('Getting the photos ready.'))}
          </Text>
        </div>
      )}
      <Trouble run={run} />
      {run.calibration && <Calibration calibration={run.calibration} />}
      {isAdmin && <RunLog dataset={dataset} kind="detector-runs" run={run.id} />}
    </Stack>
  )
}

function Calibration({ calibration }: { calibration: NonNullable<DetectorRun['calibration']> }) {
  const { threshold, precision, lower_bound, recall, best_precision, photos, objects } = calibration
  const on = t('{{count}} objects on {{photos}}', { count: objects, photos: photosInWords(photos) })
  if (threshold === null) {
    return (
      <Text size="sm">
        {t('On {{on}} it could promise {{best}} precision at most, less than the review’s rules ask for.', {
          on,
          best: percent(best_precision ?? 0),
        })}
      </Text>
    )
  }
  const figures = [
    [t('Confidence from'), fixed(threshold, 2)],
    [t('Precision'), percent(precision ?? 0)],
    [t('Promised'), t('at least {{share}}', { share: percent(lower_bound ?? 0) })],
    [t('Recall'), percent(recall)],
  ]
  return (
    <div>
      <Group gap="lg" component="dl" m={0}>
        {figures.map(([name, value]) => (
          <div key={name}>
            <Text component="dt" size="xs" c="dimmed">
              {name}
            </Text>
            <Text component="dd" size="sm" fw={600} m={0}>
              {value}
            </Text>
          </div>
        ))}
      </Group>
      <Text size="xs" c="dimmed" mt={4}>
        {t('Calibrated on {{on}} that it did not learn from.', { on })}
      </Text>
    </div>
  )
}

function Older({ runs }: { runs: readonly DetectorRun[] }) {
  return (
    <Table verticalSpacing={4} fz="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('Earlier')}</Table.Th>
          <Table.Th ta="right">{t('Precision')}</Table.Th>
          <Table.Th ta="right">{t('Recall')}</Table.Th>
          <Table.Th ta="right">{t('State')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {runs.map(({ id, created_at, calibration, state }) => (
          <Table.Tr key={id}>
            <Table.Td>{when(created_at)}</Table.Td>
            <Table.Td ta="right">{percent(calibration?.precision)}</Table.Td>
            <Table.Td ta="right">{percent(calibration?.recall)}</Table.Td>
            <Table.Td ta="right">
              <StateBadge state={state} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
