import { Badge, Button, Group, NumberInput, Progress, Stack, Table, Text } from '@mantine/core'
import { useState } from 'react'
import { fixed, percent, t, text } from '@/shared/i18n'
import { FailedPhotos } from '@/shared/ui/FailedPhotos'
import { Section } from '@/shared/ui/Section'
import { masksInWords, photosInWords, seconds, when } from '@/shared/ui/words'
import { Postponed } from './Postponed'
import { type AutolabelRun, type Order, useCalibrate, useOrder, useRuns, useThresholds } from './queries'
import { StartDialog } from './StartDialog'
import { useWhyNone } from './whyNone'

const STATES: Record<AutolabelRun['state'], string> = {
  running: text('running'),
  paused: text('paused'),
  done: text('done'),
  cancelled: text('cancelled'),
}

interface AutolabelPanelProps {
  dataset: string
  isAdmin: boolean
}

/** Masks by the model alone: thresholds, runs, and how far they are. */
export function AutolabelPanel({ dataset, isAdmin }: AutolabelPanelProps) {
  const runs = useRuns(dataset)
  const order = useOrder(dataset)
  const [isStarting, setIsStarting] = useState(false)
  const all = runs.data ?? []
  // An earlier run is on its way again where its failed photos are tried again.
  const onItsWay = all.find(({ state }) => state === 'running' || state === 'paused')
  const shown = onItsWay ?? all[0]
  const others = all.filter(run => run !== shown)
  const isOn = onItsWay !== undefined
  return (
    <Section
      title={t('Automatic labelling')}
      about={t('The live model labels photos that nobody has labelled. Test photos stay for people.')}
      action={
        isAdmin && (
          <Button onClick={() => setIsStarting(true)} disabled={isOn}>
            {t('Label automatically')}
          </Button>
        )
      }
    >
      <ThresholdsLine dataset={dataset} isAdmin={isAdmin} />
      {shown ? (
        <Run run={shown} isAdmin={isAdmin} onOrder={what => order.mutate({ run: shown.id, order: what })} />
      ) : (
        <Text c="dimmed" size="sm">
          {t('Not run yet.')}
        </Text>
      )}
      {others.length > 0 && (
        <Table verticalSpacing={4} fz="sm">
          <Table.Tbody>
            {others.map(run => (
              <Table.Tr key={run.id}>
                <Table.Td>{when(run.created_at)}</Table.Td>
                <Table.Td>{photosInWords(run.counts.done)}</Table.Td>
                <Table.Td>{masksInWords(run.masks)}</Table.Td>
                <Table.Td>{t(STATES[run.state])}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {others
        .filter(run => run.counts.failed > 0)
        .map(run => (
          <Failed
            key={run.id}
            run={run}
            title={t('{{count}} photos of the run of {{when}} failed', {
              count: run.counts.failed,
              when: when(run.created_at),
            })}
            onRetry={isAdmin && !isOn ? () => order.mutate({ run: run.id, order: 'retry' }) : null}
          />
        ))}
      {isStarting && <StartDialog dataset={dataset} onClose={() => setIsStarting(false)} />}
    </Section>
  )
}

/** What the live model's thresholds promise, and the button that measures it anew. */
function ThresholdsLine({ dataset, isAdmin }: AutolabelPanelProps) {
  const { data } = useThresholds(dataset)
  const calibrate = useCalibrate(dataset)
  const [wanted, setWanted] = useState<number | null>(null)
  const found = data?.thresholds
  const whyNone = useWhyNone(dataset)
  const order = useOrder(dataset)
  const aim = wanted ?? Math.round(100 * (found?.wanted_precision ?? 0.8))
  return (
    <Stack gap="xs" data-testid="thresholds">
      <Group justify="space-between" align="flex-end">
        <div style={{ flex: 1, minWidth: 240 }}>
          <Text size="sm">
            {found
              ? t('Predicted IoU above {{iou}}, stability at least {{stability}}', {
                  iou: fixed(found.min_predicted_iou, 2),
                  stability: fixed(found.min_stability, 2),
                })
              : !data?.calibration && whyNone}
            {found &&
              `, ${found.prompts === 'boxes' ? t('with the detector’s boxes') : t('with a grid of points')}`}
            {found && !found.attained && (
              <Badge color="yellow" variant="light" ml="xs">
                {t('Not attained')}
              </Badge>
            )}
          </Text>
          {found && (
            <Text size="xs" c="dimmed">
              {t(
                '{{precision}} of {{masks}} good [{{low}}, {{high}}], {{recall}} of the objects found; {{photos}}',
                {
                  precision: percent(found.precision),
                  masks: masksInWords(found.masks),
                  low: percent(found.precision_low),
                  high: percent(found.precision_high),
                  recall: percent(found.recall),
                  photos: t('{{count}} test photos', { count: found.photos }),
                },
              )}
              {(found.audited ?? 0) > 0 && `, ${t('{{count}} audited masks', { count: found.audited ?? 0 })}`}
              {!found.complete && `. ${t('Objects that people left out count as wrong.')}`}
            </Text>
          )}
        </div>
        {isAdmin && (
          <Group gap="xs" align="flex-end">
            <NumberInput
              aria-label={t('Share of masks that shall be good, in percent')}
              size="xs"
              w={80}
              min={5}
              max={100}
              suffix="%"
              value={aim}
              onChange={value => setWanted(Number(value) || 80)}
            />
            <Button
              size="xs"
              variant="default"
              loading={calibrate.isPending || data?.calibration != null}
              onClick={() => calibrate.mutate(aim / 100)}
            >
              {t('Calibrate')}
            </Button>
          </Group>
        )}
      </Group>
      {data?.calibration && (
        <Calibration
          run={data.calibration}
          what={whyNone}
          onCancel={isAdmin ? () => order.mutate({ run: data.calibration!.id, order: 'cancel' }) : null}
        />
      )}
    </Stack>
  )
}

interface CalibrationProps {
  run: AutolabelRun
  /** How far it is, in words. */
  what: string
  /** null: whoever looks may not. */
  onCancel: (() => void) | null
}

function Calibration({ run, what, onCancel }: CalibrationProps) {
  return (
    <>
      <Progress value={share(run)} animated aria-label={t('Test photos looked at')} />
      <Group justify="space-between">
        <Text size="sm">{what}</Text>
        {onCancel && (
          <Button size="compact-sm" variant="default" onClick={onCancel}>
            {t('Cancel')}
          </Button>
        )}
      </Group>
      <Postponed run={run} />
      {run.counts.failed > 0 && (
        <Failed run={run} title={t('{{count}} photos failed', { count: run.counts.failed })} onRetry={null} />
      )}
    </>
  )
}

/** In percent: of a run's photos, those that are over and done with. */
function share({ counts: { waiting, done, failed, skipped } }: AutolabelRun): number {
  const all = waiting + done + failed + skipped
  return all ? (100 * (all - waiting)) / all : 0
}

interface RunProps {
  run: AutolabelRun
  isAdmin: boolean
  onOrder: (order: Order) => void
}

function Run({ run, isAdmin, onOrder }: RunProps) {
  const { waiting, done, failed, skipped } = run.counts
  const all = waiting + done + failed + skipped
  const button = (order: Order, label: string) => (
    <Button size="compact-sm" variant="default" onClick={() => onOrder(order)}>
      {label}
    </Button>
  )
  return (
    <Stack gap="xs" data-testid="autolabel-run" data-state={run.state}>
      <Progress
        value={share(run)}
        animated={run.state === 'running'}
        color={run.state === 'paused' ? 'yellow' : undefined}
        aria-label={t('Photos labelled')}
      />
      <Group justify="space-between">
        <Text size="sm">
          {[
            t('{{done}} of {{all}}', { done: photosInWords(done), all }),
            masksInWords(run.masks),
            run.state === 'paused' && t('paused'),
            run.state === 'cancelled' && t('cancelled'),
            run.photos_per_minute != null &&
              waiting > 0 &&
              t('{{rate}} a minute', { rate: photosInWords(rounded(run.photos_per_minute)) }),
            run.seconds_left != null && t('{{left}} left', { left: seconds(run.seconds_left) }),
            skipped > 0 && t('{{skipped}} passed over', { skipped }),
          ]
            .filter(Boolean)
            .join(', ')}
        </Text>
        {isAdmin && (run.state === 'running' || run.state === 'paused') && (
          <Group gap="xs">
            {run.state === 'running' ? button('pause', t('Pause')) : button('resume', t('Go on'))}
            {button('cancel', t('Cancel'))}
          </Group>
        )}
      </Group>
      <Postponed run={run} />
      {failed > 0 && (
        <Failed
          run={run}
          title={t('{{count}} photos failed', { count: failed })}
          onRetry={isAdmin ? () => onOrder('retry') : null}
        />
      )}
    </Stack>
  )
}

/** Of few photos a minute tenths matter. */
function rounded(rate: number): number {
  return rate < 10 ? Math.round(10 * rate) / 10 : Math.round(rate)
}

function Failed({ run, ...rest }: { run: AutolabelRun; title: string; onRetry: (() => void) | null }) {
  return <FailedPhotos failures={run.failures} count={run.counts.failed} {...rest} />
}
