import { Button, Group, Progress, SimpleGrid, Stack, Table, Text } from '@mantine/core'
import { useMemo, useState } from 'react'
import type { Schemas } from '@/shared/api/client'
import { decode } from '@/shared/geometry/runLengths'
import { fixed, t } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import { type Layer, MaskPicture } from '@/shared/ui/MaskPicture'
import { tellError } from '@/shared/ui/notify'
import { Plot } from '@/shared/ui/Plot'
import { masksInWords, photosInWords, seconds, when } from '@/shared/ui/words'
import { Outcome, Trouble, UNFINISHED } from './Outcome'
import { type TrainingRun, useCancelTraining, useDeploy } from './queries'
import { RunLog } from './RunLog'
import { figureNames, intervalInWords, signed } from './words'

const CLICKS = [
  ['1', '#63b3ed'],
  ['3', '#f6ad55'],
  ['5', '#4fd1c5'],
] as const

interface RunViewProps {
  run: TrainingRun
  dataset: string
  isAdmin: boolean
}

/** One run: how far it is, its curves, what it sees now, and what the gate said. */
export function RunView({ run, dataset, isAdmin }: RunViewProps) {
  const cancel = useCancelTraining(dataset)
  const isRunning = UNFINISHED.includes(run.state)
  return (
    <Stack gap="sm" data-testid="newest-run">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <Group gap="xs">
            <Outcome run={run} />
            <Text size="sm" c="dimmed">
              {t('{{masks}} on {{photos}}, {{when}}', {
                masks: masksInWords(run.mask_count),
                photos: photosInWords(run.image_count),
                when: when(run.created_at),
              })}
            </Text>
          </Group>
          <Text size="xs" c="dimmed" mt={4}>
            {[said(run.why), hardwareOf(run), run.attempts > 1 && t('Went on after a worker died.')]
              .filter(Boolean)
              .join(' ')}
          </Text>
        </div>
        {isRunning && isAdmin && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => cancel.mutate(run.id, { onError: tellError })}
          >
            {t('Cancel')}
          </Button>
        )}
      </Group>
      {isRunning && <Bar run={run} />}
      <Trouble run={run} />
      <Curves run={run} />
      {run.examples.length > 0 && <Examples examples={run.examples} />}
      {run.verdict && <Verdict run={run} verdict={run.verdict} dataset={dataset} isAdmin={isAdmin} />}
      {isAdmin && <RunLog key={run.id} dataset={dataset} kind="training-runs" run={run.id} />}
    </Stack>
  )
}

function hardwareOf({ hardware, recipe, seed }: TrainingRun): string {
  const with_ = t('Recipe {{recipe}}, seed {{seed}}', { recipe, seed })
  if (!hardware) return `${with_}.`
  const on = hardware.gpus
    ? t('{{gpus}} x {{name}}', { gpus: hardware.gpus, name: hardware.name })
    : t('{{count}} CPU cores', { count: hardware.cores })
  return `${with_}, ${on}.`
}

function Bar({ run }: { run: TrainingRun }) {
  const { progress } = run
  return (
    <div>
      <Progress
        value={run.state === 'evaluating' ? 100 : progress ? (100 * progress.step) / progress.steps : 0}
        animated
        aria-label={t('Training')}
      />
      <Text size="xs" c="dimmed" mt={4}>
        {run.state === 'waiting' && t('Waiting for the training worker.')}
        {run.state === 'training' &&
          (progress
            ? t('Step {{step}} of {{steps}}, loss {{loss}}, {{left}} left.', {
                step: progress.step,
                steps: progress.steps,
                loss: fixed(progress.loss, 3),
                left: seconds(progress.seconds_left),
              })
            : t('Getting the photos ready.'))}
        {run.state === 'evaluating' && t('The gate compares it with the live model on the test photos.')}
      </Text>
    </div>
  )
}

function Curves({ run: { history, validation } }: { run: TrainingRun }) {
  return (
    <Stack gap="xs">
      {history.length > 1 && (
        <Plot
          series={[
            {
              name: t('loss'),
              colour: '#4fd1c5',
              points: history.map(({ step, loss }) => [step, loss] as const),
            },
          ]}
          summary={t('Loss from {{from}} to {{to}}', {
            from: fixed(history[0]!.loss, 2),
            to: fixed(history.at(-1)!.loss, 2),
          })}
          label={y => fixed(y, 2)}
          height={120}
        />
      )}
      {validation.length > 1 && (
        <Plot
          series={CLICKS.map(([clicks, colour]) => ({
            name: t('mIoU, {{count}} clicks', { count: Number(clicks) }),
            colour,
            points: validation.map(({ step, miou }) => [step, miou[clicks] ?? 0] as const),
          }))}
          summary={t('On photos kept back, mIoU after 1 click from {{from}} to {{to}}', {
            from: fixed(validation[0]!.miou['1'] ?? 0, 3),
            to: fixed(validation.at(-1)!.miou['1'] ?? 0, 3),
          })}
          label={y => fixed(y, 2)}
          height={120}
        />
      )}
    </Stack>
  )
}

function Examples({ examples }: { examples: TrainingRun['examples'] }) {
  return (
    <div>
      <Text size="xs" c="dimmed" mb={6}>
        {t('After one click, on photos it does not learn from: teal is right, orange too much, blue missed.')}
      </Text>
      <SimpleGrid cols={4} spacing="xs">
        {examples.map(example => (
          <Example key={example.photo} example={example} />
        ))}
      </SimpleGrid>
    </div>
  )
}

function Example({ example }: { example: TrainingRun['examples'][number] }) {
  const { photo, side, truth, mask, iou } = example
  const size = useMemo(() => ({ height: side, width: side }), [side])
  const layers = useMemo((): Layer[] => {
    const [drawn, found] = [decode(truth, size), decode(mask, size)]
    return [
      { mask: drawn, colour: [66, 153, 225] },
      { mask: found, colour: [237, 137, 54] },
      { mask: common(drawn, found), colour: [56, 178, 172] },
    ]
  }, [truth, mask, size])
  return (
    <div>
      <MaskPicture
        src={`/api/images/${photo}/thumbnail/`}
        name={t('A mask with {{iou}} IoU', { iou: fixed(iou, 2) })}
        size={size}
        layers={layers}
        isSquare
      />
      <Text size="xs" c="dimmed" ta="center">
        {fixed(iou, 2)}
      </Text>
    </div>
  )
}

/** What is inside both. */
function common(left: ReturnType<typeof decode>, right: ReturnType<typeof decode>) {
  const [x0, y0, x1, y1] = left.box
  const [u0, v0, u1, v1] = right.box
  const bits = left.bits.map((bit, index) => {
    const [x, y] = [x0 + (index % (x1 - x0)), y0 + Math.floor(index / (x1 - x0))]
    if (x < u0 || y < v0 || x >= u1 || y >= v1) return 0
    return bit & right.bits[(y - v0) * (u1 - u0) + x - u0]!
  })
  return { ...left, box: [x0, y0, x1, y1] as typeof left.box, bits }
}

interface VerdictProps {
  run: TrainingRun
  verdict: Schemas['VerdictOfGateJson']
  dataset: string
  isAdmin: boolean
}

function Verdict({ run, verdict, dataset, isAdmin }: VerdictProps) {
  const deploy = useDeploy(dataset)
  const [isWhole, setIsWhole] = useState(false)
  const { groups, images, masks, masks_by_model: byModel = 0, masks_by_live: byLive = 0 } = verdict.evidence
  const shown = verdict.figures.filter(({ size }) => isWhole || (size ?? 'all') === 'all')
  return (
    <Stack gap="xs">
      <Text size="sm">{said(verdict.reason)}</Text>
      {byModel > 0 && (
        <Text size="xs" c="dimmed">
          {t(
            'Of {{masks}} test masks {{drawn}} are a model’s pixels that people took as they were, {{live}} of them the live model’s, which is favoured by these.',
            { masks, drawn: byModel, live: byLive },
          )}
        </Text>
      )}
      {verdict.figures.length > 0 && (
        <Figures
          figures={shown}
          title={[
            t('On {{photos}}', { photos: t('{{count}} test photos', { count: verdict.evidence.images }) }),
            // Where each photo stands alone there is nothing to say.
            groups !== undefined && groups < images && t('groups: {{groups}}', { groups }),
          ]
            .filter(Boolean)
            .join(', ')}
        />
      )}
      {isWhole && verdict.holdout.length > 0 && (
        <Figures
          figures={verdict.holdout}
          title={t('On the holdout photos, which the gate never looks at')}
        />
      )}
      <Group gap="xs">
        {verdict.figures.length > 0 && (
          <Button size="compact-xs" variant="subtle" onClick={() => setIsWhole(!isWhole)}>
            {isWhole ? t('All objects only') : t('By size, and on the holdout photos')}
          </Button>
        )}
        {run.decision === 'insufficient_evidence' && run.candidate && isAdmin && (
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => deploy.mutate(run.candidate!, { onError: tellError })}
          >
            {t('Make it live anyway')}
          </Button>
        )}
      </Group>
    </Stack>
  )
}

function Figures({ figures, title }: { figures: Schemas['FigureJson'][]; title: string }) {
  const names = figureNames()
  return (
    <Table.ScrollContainer minWidth={420} type="native">
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{title}</Table.Th>
            <Table.Th ta="right">{t('Live')}</Table.Th>
            <Table.Th ta="right">{t('Candidate')}</Table.Th>
            <Table.Th ta="right">{t('Difference, 95%')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {figures.map(figure => (
            <Table.Tr key={`${figure.size} ${figure.key}`}>
              <Table.Td>
                {names[figure.key] ?? figure.name}
                {figure.size !== 'all' && (
                  <Text span size="xs" c="dimmed">
                    {' '}
                    ({figure.objects})
                  </Text>
                )}
              </Table.Td>
              <Table.Td ta="right">{fixed(figure.live, 3)}</Table.Td>
              <Table.Td ta="right">{fixed(figure.candidate, 3)}</Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
                {signed(figure.difference)} {intervalInWords(figure.low, figure.high)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
