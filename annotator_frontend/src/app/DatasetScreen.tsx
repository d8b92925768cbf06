import { Alert, Center, Container, Grid, Loader, Stack } from '@mantine/core'
import { useParams } from 'react-router'
import { AutolabelPanel } from '@/features/autolabel/AutolabelPanel'
import { DatasetHeader } from '@/features/datasets/DatasetHeader'
import { PhotoGrid } from '@/features/datasets/PhotoGrid'
import { useDataset } from '@/features/datasets/queries'
import { ReleasesPanel } from '@/features/releases/ReleasesPanel'
import { CheckpointHistory } from '@/features/training/CheckpointHistory'
import { TrainingPanel } from '@/features/training/TrainingPanel'
import { Section } from '@/shared/ui/Section'

/** A dataset: its photos, and the loop's buttons. */
export function DatasetScreen() {
  const id = useParams().dataset!
  const { data: dataset, error } = useDataset(id)
  if (error) {
    return (
      <Container py="xl" component="main">
        <Alert color="red">{error.message}</Alert>
      </Container>
    )
  }
  if (!dataset) {
    return (
      <Center h={300}>
        <Loader aria-label="Loading" />
      </Center>
    )
  }
  const isAdmin = dataset.role === 'admin'
  return (
    <Container size={1680} py="lg" component="main">
      <DatasetHeader dataset={dataset} />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, lg: 7 }}>
          <Section title="Photos">
            <PhotoGrid dataset={id} />
          </Section>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 5 }}>
          <Stack gap="lg">
            <TrainingPanel dataset={id} isAdmin={isAdmin} />
            <AutolabelPanel dataset={id} isAdmin={isAdmin} />
            <ReleasesPanel dataset={id} isAdmin={isAdmin} />
            <CheckpointHistory dataset={id} isAdmin={isAdmin} />
          </Stack>
        </Grid.Col>
      </Grid>
    </Container>
  )
}
