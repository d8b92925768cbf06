import { Alert, Anchor, Badge, Button, Group, Progress, Select, Stack, Table, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answer, api, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { bytes, when } from '@/shared/ui/words'

type Release = Schemas['ReleaseJson']
type Format = Schemas['FormatEnum']

const FORMATS: Record<Format, string> = { sa1b: 'SA-1B shards', coco: 'COCO json' }

interface ReleasesPanelProps {
  dataset: string
  isAdmin: boolean
}

/** The dataset as files to take away. */
export function ReleasesPanel({ dataset, isAdmin }: ReleasesPanelProps) {
  const queries = useQueryClient()
  const params = { path: { dataset_id: dataset } }
  const [format, setFormat] = useState<Format>('sa1b')
  const releases = useQuery({
    queryKey: ['dataset', dataset, 'releases'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/releases/', { params })),
  })
  const request = useMutation({
    mutationFn: () => answer(api.POST('/api/datasets/{dataset_id}/releases/', { params, body: { format } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
    onError: tellError,
  })
  return (
    <Section
      title={t('Releases')}
      about={t('A frozen set of masks with its photos, with checksums. It never changes.')}
      action={
        isAdmin && (
          <Group gap="xs" wrap="nowrap">
            <Select
              aria-label={t('Format')}
              w={150}
              allowDeselect={false}
              data={Object.entries(FORMATS).map(([value, label]) => ({ value, label }))}
              value={format}
              onChange={value => value && setFormat(value as Format)}
            />
            <Button onClick={() => request.mutate()} loading={request.isPending}>
              {t('Release')}
            </Button>
          </Group>
        )
      }
    >
      {releases.data?.length === 0 && (
        <Text c="dimmed" size="sm">
          {t('None yet.')}
        </Text>
      )}
      {releases.data?.map(release => (
        <ReleaseRow key={release.id} release={release} />
      ))}
    </Section>
  )
}

function ReleaseRow({ release }: { release: Release }) {
  return (
    <Stack gap={6} data-testid="release" data-state={release.state}>
      <Group gap="xs">
        <Text fw={600} size="sm">
          {t('Release {{number}}', { number: release.number })}
        </Text>
        <Badge variant="default" size="sm">
          {FORMATS[release.format]}
        </Badge>
        <Text size="sm" c="dimmed">
          {t('{{masks}} on {{photos}}, {{when}}', {
            masks: t('{{count}} masks', { count: release.mask_count }),
            photos: t('{{count}} photos', { count: release.image_count }),
            when: when(release.created_at),
          })}
        </Text>
      </Group>
      {(release.state === 'waiting' || release.state === 'writing') && (
        <Progress value={100 * release.progress} animated aria-label={t('Writing')} />
      )}
      {release.error && <Alert color="red">{release.error}</Alert>}
      {release.files.length > 0 && (
        <Table verticalSpacing={2} fz="sm">
          <Table.Tbody>
            {release.files.map(file => (
              <Table.Tr key={file.name}>
                <Table.Td>
                  <Anchor href={file.url} download={file.name} size="sm">
                    {file.name}
                  </Anchor>
                </Table.Td>
                <Table.Td ta="right" c="dimmed">
                  {bytes(file.bytes)}
                </Table.Td>
                <Table.Td c="dimmed" ff="monospace" title={t('SHA-256 {{sum}}', { sum: file.sha256 })}>
                  {file.sha256.slice(0, 12)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  )
}
