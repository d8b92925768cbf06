import { Anchor, Progress, SimpleGrid, Text } from '@mantine/core'
import { Link } from 'react-router'
import { number, t } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import type { Dataset } from './queries'

/** How far the work is; a number leads to its photos where one list has them. */
export function DatasetSummary({ dataset }: { dataset: Dataset }) {
  const { counts } = dataset
  const done = counts.annotated + counts.automatic
  const share = (photos: number) => (100 * photos) / (counts.images || 1)
  return (
    <>
      <Progress.Root size="sm" mb={6} aria-label={t('Photos labelled')}>
        <Progress.Section value={share(counts.annotated)} color="teal" aria-label={t('By people')} />
        <Progress.Section value={share(counts.automatic)} color="blue" aria-label={t('Automatic')} />
      </Progress.Root>
      <SimpleGrid cols={{ base: 2, sm: 4 }} my="md">
        <Figure name={t('Photos labelled')} value={t('{{done}} of {{all}}', { done, all: counts.images })} />
        <Figure name={t('Masks by people')} value={number(counts.masks_human)} to="?origin=people" />
        <Figure name={t('Automatic masks')} value={number(counts.masks_automatic)} to="?origin=automatic" />
        <Figure
          name={t('Test photos for the gate')}
          value={t('{{done}} of {{all}}', {
            done: counts.test_images_annotated,
            all: counts.test_images_wanted,
          })}
          to="?split=test&status=annotated&origin=people"
        />
      </SimpleGrid>
      {counts.test_missing && (
        <Text size="xs" c="dimmed" mb="md">
          {said(counts.test_missing)}
        </Text>
      )}
    </>
  )
}

function Figure({ name, value, to }: { name: string; value: string; to?: string }) {
  return (
    <div>
      {to ? (
        <Anchor component={Link} to={to} c="inherit" size="xl" fw={600} aria-label={`${name}: ${value}`}>
          {value}
        </Anchor>
      ) : (
        <Text size="xl" fw={600}>
          {value}
        </Text>
      )}
      <Text size="sm" c="dimmed">
        {name}
      </Text>
    </div>
  )
}
