import {
  Badge,
  Button,
  Card,
  Container,
  Group,
  Modal,
  Progress,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { tellError } from '@/shared/ui/notify'
import { count } from '@/shared/ui/words'
import { type Dataset, useCreateDataset, useDatasets } from './queries'

export const STAGES = {
  assisted: 'Assisted',
  semi_automatic: 'Semi-automatic',
  automatic: 'Automatic',
} as const

export function DatasetsPage() {
  const datasets = useDatasets()
  const [isOpen, setOpen] = useState(false)
  return (
    <Container size="lg" py="xl" component="main">
      <Group justify="space-between" mb="lg">
        <Title order={1} size="h2">
          Datasets
        </Title>
        <Button onClick={() => setOpen(true)}>New dataset</Button>
      </Group>
      {datasets.error && <Text c="red">{datasets.error.message}</Text>}
      {datasets.data?.length === 0 && <Text c="dimmed">None yet. Make one, and put photos into it.</Text>}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {datasets.data?.map(dataset => (
          <DatasetCard key={dataset.id} dataset={dataset} />
        ))}
      </SimpleGrid>
      <NewDataset isOpen={isOpen} onClose={() => setOpen(false)} />
    </Container>
  )
}

function DatasetCard({ dataset }: { dataset: Dataset }) {
  const { counts } = dataset
  const done = counts.annotated + counts.automatic
  return (
    <Card withBorder component={Link} to={`/datasets/${dataset.id}`} padding="lg">
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={600} truncate>
            {dataset.name}
          </Text>
          <Badge variant="light">{STAGES[dataset.stage]}</Badge>
        </Group>
        <Progress value={counts.images ? (100 * done) / counts.images : 0} aria-label="Photos labelled" />
        <Text size="sm" c="dimmed">
          {done} of {count(counts.images, 'photo')} labelled,{' '}
          {count(counts.masks_human + counts.masks_automatic, 'mask')}
        </Text>
      </Stack>
    </Card>
  )
}

function NewDataset({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [name, setName] = useState('')
  const create = useCreateDataset()
  const navigate = useNavigate()
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate(name, { onSuccess: made => void navigate(`/datasets/${made.id}`), onError: tellError })
  }
  return (
    <Modal opened={isOpen} onClose={onClose} title="New dataset" centered>
      <form onSubmit={onSubmit}>
        <Stack>
          <TextInput
            label="Name"
            value={name}
            onChange={event => setName(event.currentTarget.value)}
            required
            data-autofocus
          />
          <Button type="submit" loading={create.isPending}>
            Create
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
