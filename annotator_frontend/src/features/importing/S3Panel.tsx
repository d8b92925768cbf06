import { Alert, Badge, Button, Group, Select, Stack, Table, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { answer, api, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { bytes, when } from '@/shared/ui/words'
import { Failures } from './ImportPanel'

const SETTING = 'S3_SOURCES'

type Check = Schemas['CheckJson']
type S3Import = Schemas['S3ImportJson']

/** Photos from under a prefix of a bucket: looked at first, fetched by a worker. */
export function S3Panel({ dataset }: { dataset: string }) {
  const params = { path: { dataset_id: dataset } }
  const queries = useQueryClient()
  const sources = useQuery({
    queryKey: ['dataset', dataset, 's3-sources'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/s3-sources/', { params })),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const imports = useQuery({
    queryKey: ['dataset', dataset, 's3-imports'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/s3-imports/', { params })),
  })
  const refresh = () => queries.invalidateQueries({ queryKey: ['dataset', dataset, 's3-imports'] })
  const [picked, setPicked] = useState<{ source?: string; bucket?: string }>({})
  const [prefix, setPrefix] = useState('')
  const source = sources.data?.find(({ name }) => name === picked.source) ?? sources.data?.[0]
  const bucket = source?.buckets.find(name => name === picked.bucket) ?? source?.buckets[0]
  const place = { source: source?.name ?? '', bucket: bucket ?? '', prefix }
  const check = useMutation({
    mutationFn: () => answer(api.POST('/api/datasets/{dataset_id}/s3-check/', { params, body: place })),
  })
  const start = useMutation({
    mutationFn: () => answer(api.POST('/api/datasets/{dataset_id}/s3-imports/', { params, body: place })),
    onSuccess: refresh,
    onError: tellError,
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    check.mutate()
  }
  const change = (changes: { source?: string; bucket?: string }) => {
    setPicked({ ...picked, ...changes })
    check.reset()
  }
  const isRunning = imports.data?.some(({ state }) => state === 'running') ?? false
  return (
    <Section title={t('From S3')} about={t('Everything under a prefix, fetched by a worker.')}>
      {sources.data?.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('The server names no buckets. Whoever runs it does so in {{name}}; see the README.', {
            name: SETTING,
          })}
        </Text>
      )}
      {source && (
        <form onSubmit={onSubmit}>
          <Group align="flex-end" gap="sm">
            <Select
              label={t('Source')}
              allowDeselect={false}
              data={sources.data?.map(({ name }) => name) ?? []}
              value={source.name}
              onChange={name => change({ source: name ?? undefined })}
            />
            <Select
              label={t('Bucket')}
              allowDeselect={false}
              data={source.buckets}
              value={bucket ?? null}
              onChange={name => change({ bucket: name ?? undefined })}
            />
            <TextInput
              label={t('Prefix')}
              placeholder={t('all of it')}
              value={prefix}
              onChange={event => {
                setPrefix(event.currentTarget.value)
                check.reset()
              }}
              style={{ flex: 1, minWidth: 180 }}
            />
            <Button type="submit" variant="default" loading={check.isPending}>
              {t('Check')}
            </Button>
            <Button
              onClick={() => start.mutate()}
              loading={start.isPending}
              disabled={isRunning || !check.data?.count}
            >
              {t('Import')}
            </Button>
          </Group>
        </form>
      )}
      {check.error && <Alert color="red">{check.error.message}</Alert>}
      {check.data && <Checked check={check.data} />}
      {imports.data?.map(one => (
        <ImportRow key={one.id} one={one} onChange={refresh} />
      ))}
    </Section>
  )
}

function Checked({ check }: { check: Check }) {
  if (!check.count) return <Alert color="yellow">{t('There is nothing under this prefix.')}</Alert>
  return (
    <Stack gap={4} data-testid="s3-check">
      <Text size="sm">
        {check.is_all
          ? t('{{count}} objects.', { count: check.count })
          : t('More than {{count}} objects.', { count: check.count })}{' '}
        {check.count > check.keys.length && t('The first {{number}}:', { number: check.keys.length })}
      </Text>
      <Table verticalSpacing={2} fz="sm">
        <Table.Tbody>
          {check.keys.map(({ key, byte_size }) => (
            <Table.Tr key={key}>
              <Table.Td ff="monospace">{key}</Table.Td>
              <Table.Td ta="right" c="dimmed">
                {bytes(byte_size)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  )
}

const COLOURS = { running: 'blue', done: 'teal', failed: 'red', cancelled: 'gray' } as const

function stateName(state: S3Import['state']): string {
  return { running: t('Running'), done: t('Done'), failed: t('Failed'), cancelled: t('Cancelled') }[state]
}

function ImportRow({ one, onChange }: { one: S3Import; onChange: () => Promise<void> }) {
  const params = { path: { import_id: one.id } }
  const options = { onSuccess: onChange, onError: tellError }
  const cancel = useMutation({
    mutationFn: () => answer(api.POST('/api/s3-imports/{import_id}/cancel/', { params })),
    ...options,
  })
  const retry = useMutation({
    mutationFn: () => answer(api.POST('/api/s3-imports/{import_id}/retry/', { params })),
    ...options,
  })
  const again = { failed: t('Go on'), cancelled: t('Go on'), done: t('Try those again'), running: '' }
  const canRetry = one.state !== 'running' && (one.state !== 'done' || one.refused > 0)
  return (
    <Stack gap={6} data-testid="s3-import" data-state={one.state}>
      <Group gap="xs">
        <Badge variant="light" color={COLOURS[one.state]}>
          {stateName(one.state)}
        </Badge>
        <Text size="sm" ff="monospace">
          s3://{one.bucket}/{one.prefix}
        </Text>
        <Text size="sm" c="dimmed">
          {t('{{count}} photos new', { count: one.imported })},{' '}
          {t('{{count}} were there already', { count: one.already_there })},{' '}
          {t('{{count}} refused', { count: one.refused })}, {when(one.created_at)}
        </Text>
        {one.state === 'running' && (
          <Button size="compact-sm" variant="default" onClick={() => cancel.mutate()}>
            {t('Cancel')}
          </Button>
        )}
        {canRetry && (
          <Button size="compact-sm" variant="default" onClick={() => retry.mutate()}>
            {again[one.state]}
          </Button>
        )}
      </Group>
      {one.error && <Alert color={one.state === 'running' ? 'yellow' : 'red'}>{one.error}</Alert>}
      {one.refusals.length > 0 && (
        <Failures failures={one.refusals.map(({ key, message }) => [key ?? '', message ?? ''])} />
      )}
    </Stack>
  )
}
