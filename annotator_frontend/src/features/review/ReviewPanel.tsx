import { Alert, Button, Group, NumberInput, Select, Stack, Table, Text } from '@mantine/core'
import { Link } from 'react-router'
import type { Schemas } from '@/shared/api/client'
import { number, percent, t } from '@/shared/i18n'
import { FailedPhotos } from '@/shared/ui/FailedPhotos'
import { Section } from '@/shared/ui/Section'
import {
  type Review,
  useRetryProposals,
  useReview,
  useRules,
  useSetRules,
  useSetStage,
  useVerifiers,
} from './queries'

interface ReviewPanelProps {
  dataset: string
  isAdmin: boolean
  /** What there is to do for whoever looks. */
  jobs: readonly Schemas['Job'][]
}

/** The model proposes, people verify, complete and correct. */
export function ReviewPanel({ dataset, isAdmin, jobs }: ReviewPanelProps) {
  const { data: review } = useReview(dataset)
  const stage = useSetStage(dataset)
  if (!review) return null
  return (
    <Section
      title={t('Review')}
      about={t('The model offers masks. People verify them, correct what is wrong and draw what is missing.')}
      action={
        isAdmin && (
          <Select
            aria-label={t('Stage')}
            size="xs"
            w={170}
            allowDeselect={false}
            value={review.stage}
            disabled={stage.isPending}
            onChange={chosen => chosen && stage.mutate(chosen as Review['stage'])}
            data={[
              { value: 'assisted', label: t('Assisted') },
              { value: 'semi_automatic', label: t('Semi-automatic') },
              { value: 'automatic', label: t('Automatic') },
            ]}
          />
        )
      }
    >
      {!review.jobs.includes('verify') && <NotYet />}
      <Queues dataset={dataset} review={review} own={jobs} />
      {review.jobs.includes('verify') && <Offered review={review} />}
      {review.proposals.failed > 0 && <Failures dataset={dataset} review={review} isAdmin={isAdmin} />}
      {isAdmin && <SecondOpinions review={review} />}
      <Verifiers dataset={dataset} />
      {isAdmin && <Rules dataset={dataset} />}
    </Section>
  )
}

function NotYet() {
  return (
    <Text size="sm" c="dimmed">
      {t('In the assisted stage people draw every object. Proposals begin with the semi-automatic stage.')}
    </Text>
  )
}

interface QueuesProps {
  dataset: string
  review: Review
  own: ReviewPanelProps['jobs']
}

/** Those of the stage, and whatever an earlier one left over. */
function Queues({ dataset, review: { queues, jobs }, own }: QueuesProps) {
  const every = [
    {
      job: 'verify',
      name: t('Verify'),
      what: t('masks wait for a verdict', { count: queues.verify.waiting }),
      to: 'verify',
      queue: queues.verify,
    },
    {
      job: 'correct',
      name: t('Correct'),
      what: t('photos have faulty masks', { count: queues.correct.waiting }),
      to: 'label?job=correct',
      queue: queues.correct,
    },
    {
      job: 'complete',
      name: t('Complete'),
      what: t('photos are to be finished', { count: queues.complete.waiting }),
      to: 'label?job=complete',
      queue: queues.complete,
    },
  ] as const
  const rows = every.filter(({ job, queue }) => jobs.includes(job) || queue.waiting > 0)
  return (
    <Stack gap="xs">
      {rows.map(({ job, name, what, to, queue }) => (
        <Group key={to} justify="space-between" wrap="nowrap">
          <Text size="sm">
            <Text span fw={600}>
              {number(queue.waiting)}
            </Text>{' '}
            {what}
            {queue.skipped > 0 && (
              <Text span c="dimmed">
                {' · '}
                {to === 'verify'
                  ? t('{{count}} somebody was unsure of', { count: queue.skipped })
                  : t('{{count}} skipped', { count: queue.skipped })}
              </Text>
            )}
          </Text>
          {own.includes(job) && (
            <Button
              component={Link}
              to={`/datasets/${dataset}/${to}`}
              state={{ from: `/datasets/${dataset}/loop` }}
              size="xs"
              variant={queue.waiting ? 'filled' : 'default'}
            >
              {name}
            </Button>
          )}
        </Group>
      ))}
    </Stack>
  )
}

function Offered({ review: { detector, proposals } }: { review: Review }) {
  if (!detector) {
    return (
      <Alert color="gray" title={t('No detector for the live model yet')}>
        {t(
          'It finds the objects that are proposed, and is trained with each retraining. It needs photos that were submitted as complete.',
        )}
      </Alert>
    )
  }
  if (detector.threshold === null) {
    return (
      <Alert color="yellow" title={t('The detector is not sure enough')}>
        {t(
          'It can promise that {{best}} of its masks would be taken as they are, less than is asked for. More complete photos help.',
          {
            best: percent(detector.best_precision ?? 0),
          },
        )}
      </Alert>
    )
  }
  return (
    <Text size="sm" c="dimmed">
      {t('{{count}} masks offered', { count: proposals.offered })}
      {' · '}
      {t('{{count}} masks not sure enough to be offered', { count: proposals.left_out })}
      {proposals.preparing > 0 &&
        ` · ${t('{{count}} photos in preparation', { count: proposals.preparing })}`}
    </Text>
  )
}

/** Photos that the model was to propose masks for, and could not. */
function Failures({
  dataset,
  review: { proposals },
  isAdmin,
}: Omit<ReviewPanelProps, 'jobs'> & { review: Review }) {
  const retry = useRetryProposals(dataset)
  return (
    <FailedPhotos
      title={t('No proposals for {{count}} photos', { count: proposals.failed })}
      failures={proposals.failures}
      count={proposals.failed}
      onRetry={isAdmin ? () => retry.mutate() : null}
      isBusy={retry.isPending}
    />
  )
}

/** Whether the share that two people are to judge is reached: whoever completes a photo ends what others would have said. */
function SecondOpinions({ review: { second_opinions: asked } }: { review: Review }) {
  if (!asked?.wanted) return null
  const missed = asked.wanted - asked.obtained - asked.waiting
  return (
    <Text size="sm" c="dimmed">
      {t('{{obtained}} of {{wanted}} second opinions obtained', {
        obtained: asked.obtained,
        wanted: asked.wanted,
      })}
      {asked.waiting > 0 && ` · ${t('{{count}} still awaited', { count: asked.waiting })}`}
      {missed > 0 &&
        ` · ${t('{{count}} missed, because the photo was completed or the mask settled before', { count: missed })}`}
    </Text>
  )
}

function Verifiers({ dataset }: { dataset: string }) {
  const { data: people } = useVerifiers(dataset)
  if (!people?.length) return null
  return (
    <Table verticalSpacing={4} fz="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('Person')}</Table.Th>
          <Table.Th ta="right">{t('Verdicts')}</Table.Th>
          <Table.Th ta="right">{t('Seconds each')}</Table.Th>
          <Table.Th ta="right" title={t('Agreement with others beyond chance: 1 is perfect, 0 is chance.')}>
            {t("Cohen's kappa")}
          </Table.Th>
          <Table.Th ta="right" title={t('Of hidden questions whose answer is known.')}>
            {t('Known answers')}
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {people.map(row => (
          <Table.Tr key={row.user}>
            <Table.Td>{row.username}</Table.Td>
            <Table.Td ta="right">{number(row.verdicts)}</Table.Td>
            <Table.Td ta="right">{digits(row.seconds_each, 1)}</Table.Td>
            <Table.Td ta="right">{digits(row.kappa, 2)}</Table.Td>
            <Table.Td ta="right">
              {row.known ? t('{{right}} of {{all}}', { right: row.known_right, all: row.known }) : '–'}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function digits(value: number | null, many: number): string {
  if (value === null) return '–'
  return number(value, { minimumFractionDigits: many, maximumFractionDigits: many })
}

function Rules({ dataset }: { dataset: string }) {
  const { data: rules } = useRules(dataset, true)
  const set = useSetRules(dataset)
  if (!rules) return null
  const share = (
    label: string,
    description: string,
    field: 'precision' | 'verified_twice_share' | 'known_share',
  ) => (
    <NumberInput
      key={`${field} ${rules[field]}`}
      label={label}
      description={description}
      defaultValue={Math.round(100 * (rules[field] ?? 0))}
      min={0}
      max={100}
      suffix=" %"
      size="xs"
      flex={1}
      miw={150}
      onBlur={event => {
        const given = Number.parseFloat(event.currentTarget.value)
        const value = Math.min(100, Math.max(0, given)) / 100
        if (Number.isFinite(value) && value !== rules[field]) set.mutate({ [field]: value })
      }}
    />
  )
  return (
    <Group align="flex-end" gap="sm">
      {share(t('Precision'), t('of offered masks, taken as they are'), 'precision')}
      {share(t('Verified twice'), t('by different people'), 'verified_twice_share')}
      {share(t('Known answers'), t('hidden among questions'), 'known_share')}
      <Select
        label={t('Order')}
        description={t('what comes first')}
        size="xs"
        flex={1}
        miw={170}
        allowDeselect={false}
        value={rules.order}
        onChange={order => order && set.mutate({ order: order as typeof rules.order })}
        data={[
          { value: 'doubt', label: t('Least sure first') },
          { value: 'random', label: t('Random') },
          { value: 'import', label: t('As imported') },
        ]}
      />
    </Group>
  )
}
