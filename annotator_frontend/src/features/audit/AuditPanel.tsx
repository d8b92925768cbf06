import { Alert, Button, Group, NumberInput, Stack, Table, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { answer, api, type Schemas } from '@/shared/api/client'
import { fixed, percent, t, text } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { masksInWords } from '@/shared/ui/words'

interface AuditPanelProps {
  dataset: string
  isAdmin: boolean
  /** Whether auditing is work of whoever looks. */
  audits: boolean
}

const PARTS = { stage: text('Stage'), checkpoint: text('Model'), size: text('Size') } as const
/** Of stages and sizes. A model has the name that it was given. */
const VALUES: Readonly<Record<string, string>> = {
  assisted: text('Assisted'),
  semi_automatic: text('Semi-automatic'),
  automatic: text('Automatic'),
  small: text('Small'),
  medium: text('Medium'),
  large: text('Large'),
}
const RATES = [
  ['share', text('Share audited')],
  ['rate_90', text('Wanted above 0.90')],
  ['rate_75', text('Wanted above 0.75')],
] as const

/** What automatic masks are worth, as people who repaired a sample of them found. */
export function AuditPanel({ dataset, isAdmin, audits }: AuditPanelProps) {
  const params = { path: { dataset_id: dataset } }
  const { data: audit } = useQuery({
    queryKey: ['dataset', dataset, 'audit'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/audit/', { params })),
  })
  if (!audit) return null
  const { plan, report } = audit
  return (
    <Section
      title={t('Audit')}
      about={t(
        'A sample of the automatic masks is repaired by people; each pair of before and after has an IoU.',
      )}
      action={
        report.waiting > 0 &&
        audits && (
          <Button size="xs" variant="default" component={Link} to={`/datasets/${dataset}/label?job=audit`}>
            {t('Audit')}
          </Button>
        )
      }
    >
      {report.warnings.map(warning => (
        <Alert key={warning} color="yellow">
          {said(warning)}
        </Alert>
      ))}
      <Text size="sm" c="dimmed">
        {t('{{pairs}} done, {{waiting}} waiting.', {
          pairs: masksInWords(report.all.pairs),
          waiting: masksInWords(report.waiting),
        })}
      </Text>
      {report.all.pairs > 0 && (
        <Table.ScrollContainer minWidth={420} type="native">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Masks')}</Table.Th>
                <Table.Th ta="right">{t('Pairs')}</Table.Th>
                {report.all.levels.map(({ level }) => (
                  <Table.Th key={level} ta="right">
                    {t('Above {{level}} IoU, 95%', { level: fixed(level, 2) })}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              <Shares name={t('All')} shares={report.all} />
              {report.by.map(one => (
                <Shares
                  key={`${one.part} ${one.value}`}
                  name={`${t(PARTS[one.part])}: ${valueInWords(one)}`}
                  shares={one}
                />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {isAdmin && <PlanForm dataset={dataset} plan={plan} />}
    </Section>
  )
}

function valueInWords({ part, value }: Schemas['PartJson']): string {
  return part === 'checkpoint' ? value : t(VALUES[value] ?? value)
}

function Shares({ name, shares }: { name: string; shares: Schemas['SharesJson'] }) {
  return (
    <Table.Tr>
      <Table.Td>{name}</Table.Td>
      <Table.Td ta="right">{shares.pairs}</Table.Td>
      {shares.levels.map(({ level, share, low, high }) => (
        <Table.Td key={level} ta="right" style={{ whiteSpace: 'nowrap' }}>
          {percent(share)} [{percent(low)}, {percent(high)}]
        </Table.Td>
      ))}
    </Table.Tr>
  )
}

function PlanForm({ dataset, plan }: { dataset: string; plan: Schemas['AuditPlanJson'] }) {
  const queries = useQueryClient()
  const [changes, setChanges] = useState<Schemas['PatchedAuditPlanJsonRequest']>({})
  const save = useMutation({
    mutationFn: () =>
      answer(
        api.PATCH('/api/datasets/{dataset_id}/audit/', {
          params: { path: { dataset_id: dataset } },
          body: changes,
        }),
      ),
    onSuccess: () => {
      setChanges({})
      return queries.invalidateQueries({ queryKey: ['dataset', dataset] })
    },
    onError: tellError,
  })
  return (
    <Stack gap="xs">
      <Group gap="sm" align="flex-end">
        {RATES.map(([name, label]) => (
          <NumberInput
            key={name}
            label={t(label)}
            size="xs"
            w={150}
            min={0}
            max={100}
            suffix="%"
            value={Math.round(1000 * (changes[name] ?? plan[name] ?? 0)) / 10}
            onChange={value => setChanges({ ...changes, [name]: Number(value) / 100 })}
          />
        ))}
        <Button
          size="xs"
          disabled={Object.keys(changes).length === 0}
          loading={save.isPending}
          onClick={() => save.mutate()}
        >
          {t('Save')}
        </Button>
      </Group>
      <Text size="xs" c="dimmed">
        {t('The share is drawn from masks that are made while it is above 0, and in the hour before.')}
      </Text>
    </Stack>
  )
}
