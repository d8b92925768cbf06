import { Anchor, Badge, Button, Group, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import { jobNames } from '@/shared/ui/jobs'
import type { Dataset } from './queries'
import { stageName } from './stages'

/** Name, and the way into the work. */
export function DatasetHeader({ dataset, action }: { dataset: Dataset; action?: ReactNode }) {
  const work = workOf(dataset)
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
        {work && (
          <Button
            component={Link}
            to={`/datasets/${dataset.id}/${work.to}`}
            disabled={!dataset.counts.images}
          >
            {work.name}
          </Button>
        )}
      </Group>
    </Group>
  )
}

/** What whoever looks at the page does here first; null: nothing, for now. */
function workOf({ jobs }: Dataset): { to: string; name: string } | null {
  if (jobs.includes('annotate')) return { to: 'label', name: t('Label photos') }
  const [job] = jobs
  if (!job) return null
  return { to: job === 'verify' ? 'verify' : `label?job=${job}`, name: jobNames()[job] }
}
