import { Alert, Anchor, Group, Image, SimpleGrid, Stack, Table, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { answer, api, type Schemas } from '@/shared/api/client'
import { dateTime, number, t } from '@/shared/i18n'
import { Section } from '@/shared/ui/Section'
import { when } from '@/shared/ui/words'

const DAYS = 30

/** What one has done oneself: today, the days before, and what lies open. Nobody else sees it. */
export function MyWork() {
  const work = useQuery({
    queryKey: ['me', 'work'],
    queryFn: () =>
      answer(
        api.GET('/api/me/work/', {
          params: {
            query: { days: DAYS, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone },
          },
        }),
      ),
  })
  if (work.error) return <Alert color="red">{work.error.message}</Alert>
  if (!work.data) return null
  const { today, days, open } = work.data
  return (
    <Stack gap="lg">
      <Section title={t('Today')}>
        <SimpleGrid cols={{ base: 2, sm: 4 }}>
          <Figure name={t('Masks')} value={number(today.masks)} />
          <Figure name={t('Photos finished')} value={number(today.photos)} />
          <Figure name={t('Seconds per mask')} value={one(today.seconds_per_mask)} />
          <Figure name={t('Clicks per mask')} value={one(today.clicks_per_mask)} />
        </SimpleGrid>
      </Section>
      <Section
        title={t('Open photos')}
        about={t('Yours until you finish them, skip them, or leave them alone.')}
      >
        {open.length === 0 && (
          <Text size="sm" c="dimmed">
            {t('None.')}
          </Text>
        )}
        {open.map(photo => (
          <Group key={photo.image} gap="sm" wrap="nowrap">
            <Image src={photo.thumbnail_url} alt="" w={64} h={48} fit="cover" radius="sm" />
            <div>
              <Anchor
                component={Link}
                to={`/datasets/${photo.dataset}/label?image=${photo.image}`}
                state={{ from: '/me' }}
              >
                {photo.file_name}
              </Anchor>
              <Text size="sm" c="dimmed">
                {photo.dataset_name}, {t('{{count}} masks', { count: photo.masks })}, {when(photo.since)}
              </Text>
            </div>
          </Group>
        ))}
      </Section>
      <Section title={t('The last {{count}} days', { count: DAYS })}>
        {days.length === 0 ? (
          <Text size="sm" c="dimmed">
            {t('Nothing yet.')}
          </Text>
        ) : (
          <History days={days} />
        )}
      </Section>
    </Stack>
  )
}

function History({ days }: { days: readonly Schemas['DayJson'][] }) {
  const most = Math.max(...days.map(({ masks }) => masks), 1)
  return (
    <Table verticalSpacing={6} fz="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th w={150}>{t('Day')}</Table.Th>
          <Table.Th>{t('Masks')}</Table.Th>
          <Table.Th ta="right">{t('Photos finished')}</Table.Th>
          <Table.Th ta="right">{t('Seconds per mask')}</Table.Th>
          <Table.Th ta="right">{t('Clicks per mask')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {days.map(day => (
          <Table.Tr key={day.day}>
            <Table.Td>{dateTime(`${day.day}T12:00`, { dateStyle: 'medium' })}</Table.Td>
            <Table.Td>
              <Group gap="xs" wrap="nowrap">
                <Text size="sm" w={48} ta="right">
                  {number(day.masks)}
                </Text>
                <div
                  aria-hidden
                  style={{
                    height: 8,
                    width: `${(100 * day.masks) / most}%`,
                    borderRadius: 2,
                    background: 'var(--mantine-color-teal-7)',
                  }}
                />
              </Group>
            </Table.Td>
            <Table.Td ta="right">{number(day.photos)}</Table.Td>
            <Table.Td ta="right">{one(day.seconds_per_mask)}</Table.Td>
            <Table.Td ta="right">{one(day.clicks_per_mask)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function one(value: number | null): string {
  return value === null ? '–' : number(value, { maximumFractionDigits: 1 })
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <Text size="xl" fw={600}>
        {value}
      </Text>
      <Text size="sm" c="dimmed">
        {name}
      </Text>
    </div>
  )
}
