import { Grid, Stack, Text } from '@mantine/core'
import { AuditPanel } from '@/features/audit/AuditPanel'
import { AutolabelPanel } from '@/features/autolabel/AutolabelPanel'
import { LabelChosen } from '@/features/autolabel/LabelChosen'
import { DatasetSettings } from '@/features/datasets/DatasetSettings'
import { DatasetSummary } from '@/features/datasets/DatasetSummary'
import { Gallery } from '@/features/gallery/Gallery'
import { ImportPanel } from '@/features/importing/ImportPanel'
import { MaskPanel } from '@/features/importing/MaskPanel'
import { S3Panel } from '@/features/importing/S3Panel'
import { Dashboard } from '@/features/insights/Dashboard'
import { Invitations } from '@/features/people/Invitations'
import { PeoplePanel } from '@/features/people/PeoplePanel'
import { ReleasesPanel } from '@/features/releases/ReleasesPanel'
import { ReviewPanel } from '@/features/review/ReviewPanel'
import { Skips } from '@/features/review/Skips'
import { CheckpointHistory } from '@/features/training/CheckpointHistory'
import { ComparePage } from '@/features/training/ComparePage'
import { TrainingPanel } from '@/features/training/TrainingPanel'
import { t } from '@/shared/i18n'
import { useOpenDataset } from './DatasetScreen'

export function PhotosPage() {
  const dataset = useOpenDataset()
  return (
    <>
      <DatasetSummary dataset={dataset} />
      <Gallery
        dataset={dataset.id}
        isReviewer={dataset.role !== 'annotator'}
        withChosen={
          dataset.role === 'admin'
            ? choice => <LabelChosen dataset={dataset.id} chosen={choice} />
            : undefined
        }
      />
    </>
  )
}

export function ImportPage() {
  const { id, role } = useOpenDataset()
  if (role !== 'admin') return <Text c="dimmed">{t('Only admins of this dataset import photos.')}</Text>
  return (
    <Stack gap="lg">
      <ImportPanel dataset={id} />
      <S3Panel dataset={id} />
      <MaskPanel dataset={id} />
    </Stack>
  )
}

/** The loop at a glance. */
export function DashboardPage() {
  const { id, role } = useOpenDataset()
  return <Dashboard dataset={id} isAdmin={role === 'admin'} isReviewer={role !== 'annotator'} />
}

/** Two checkpoints side by side. */
export function ComparisonPage() {
  const { id, role } = useOpenDataset()
  return <ComparePage dataset={id} isAdmin={role === 'admin'} />
}

/** How the model learns from the masks, and makes masks in turn. */
export function LoopPage() {
  const { id, role, jobs } = useOpenDataset()
  const own = { dataset: id, isAdmin: role === 'admin' }
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, lg: 6 }}>
        <Stack gap="lg">
          <TrainingPanel {...own} />
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 6 }}>
        <Stack gap="lg">
          <ReviewPanel {...own} jobs={jobs} />
          {own.isAdmin && <Skips dataset={id} />}
          <AutolabelPanel {...own} />
          <AuditPanel {...own} audits={jobs.includes('audit')} />
          <CheckpointHistory {...own} />
        </Stack>
      </Grid.Col>
    </Grid>
  )
}

export function ReleasesPage() {
  const { id, role } = useOpenDataset()
  return <ReleasesPanel dataset={id} isAdmin={role === 'admin'} />
}

export function PeoplePage() {
  const { id, role } = useOpenDataset()
  const isAdmin = role === 'admin'
  return (
    <Stack gap="lg">
      <PeoplePanel dataset={id} isAdmin={isAdmin} />
      {isAdmin && <Invitations dataset={id} />}
    </Stack>
  )
}

export function SettingsPage() {
  return <DatasetSettings dataset={useOpenDataset()} />
}
