import { Anchor, Badge, Button, Group, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import type { Dataset } from './queries'
import { stageName } from './stages'

/** Name, and the way into the work. */
export function DatasetHeader({ dataset, action }: { dataset: Dataset; action?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end" mb="sm">
      <div>
        <Anchor component={Link} to="/" size="sm" c="dimmed">
          {t('← Datasets')}
        </Anchor>
        <Group gap="sm">
          <Title order={1} size="h2">
            {dataset.name}
          </Title>
          <Badge variant="light">{stageName(dataset.stage)}</Badge>
        </Group>
      </div>
      <Group gap="sm">
        {action}
        <Button component={Link} to={`/datasets/${dataset.id}/label`} disabled={!dataset.counts.images}>
          {t('Label photos')}
        </Button>
      </Group>
    </Group>
  )
}
