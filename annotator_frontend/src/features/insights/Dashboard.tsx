import {
  Alert,
  Button,
  Center,
  Group,
  Loader,
  Menu,
  SegmentedControl,
  SimpleGrid,
  Stack,
} from '@mantine/core'
import { useMemo } from 'react'
import { useSearchParams } from 'react-router'
import { t } from '@/shared/i18n'
import { axisOf } from './axis'
import { CurveCard } from './CurveCard'
import { curvesOf } from './curves'
import { Happened, MarksLegend } from './Happened'
import { type By, type Figures, fileOf, useFigures } from './queries'
import { Acceptance, Origins, Work } from './Shares'

interface May {
  isAdmin: boolean
  isReviewer: boolean
}

/** The loop at a glance: the four curves of the paper, live, and what stands behind them. */
export function Dashboard({ dataset, ...may }: { dataset: string } & May) {
  const [search, setSearch] = useSearchParams()
  const by: By = search.get('by') === 'day' ? 'day' : 'round'
  const figures = useFigures(dataset, by)
  const failure = figures.error && <Alert color="red">{figures.error.message}</Alert>
  if (!figures.data) {
    if (failure) return failure
    return (
      <Center h={300}>
        <Loader aria-label={t('Loading')} />
      </Center>
    )
  }
  return (
    <Stack gap="md">
      {failure}
      <Group justify="space-between">
        <Group gap="md">
          <SegmentedControl
            size="xs"
            aria-label={t('One point for each')}
            value={by}
            onChange={chosen => setSearch(chosen === 'day' ? { by: 'day' } : {}, { replace: true })}
            data={[
              { value: 'round', label: t('By round') },
              { value: 'day', label: t('By day') },
            ]}
          />
          <MarksLegend marks={figures.data.marks} />
        </Group>
        <Downloads dataset={dataset} by={by} />
      </Group>
      <Shown dataset={dataset} figures={figures.data} {...may} />
    </Stack>
  )
}

function Shown({ dataset, figures, isAdmin, isReviewer }: { dataset: string; figures: Figures } & May) {
  const axis = useMemo(() => axisOf(figures, Date.now()), [figures])
  const curves = useMemo(() => curvesOf(dataset, figures, axis), [dataset, figures, axis])
  return (
    <>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        {curves.map(curve => (
          <CurveCard key={curve.title} dataset={dataset} curve={curve} axis={axis} marks={figures.marks} />
        ))}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Stack gap="md">
          <Acceptance dataset={dataset} rows={figures.acceptance} isReviewer={isReviewer} />
          <Work dataset={dataset} rows={figures.people} isAdmin={isAdmin} />
        </Stack>
        <Stack gap="md">
          <Origins dataset={dataset} rows={figures.origins} />
          <Happened dataset={dataset} marks={figures.marks} />
        </Stack>
      </SimpleGrid>
    </>
  )
}

function Downloads({ dataset, by }: { dataset: string; by: By }) {
  const tables = [
    ['points', t('Effort, CSV')],
    ['quality', t('Quality, CSV')],
    ['marks', t('What happened, CSV')],
    ['rounds', t('Rounds, CSV')],
    ['acceptance', t('Acceptance, CSV')],
    ['origins', t('Origins, CSV')],
    ['people', t('Work by person, CSV')],
  ] as const
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" variant="default">
          {t('Download')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={fileOf(dataset, by)} download="figures.json">
          {t('Everything, JSON')}
        </Menu.Item>
        <Menu.Divider />
        {tables.map(([table, name]) => (
          <Menu.Item key={table} component="a" href={fileOf(dataset, by, table)} download={`${table}.csv`}>
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
