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
import { t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { type Dataset, useCreateDataset, useDatasets } from './queries'
import { stageName } from './stages'

export function DatasetsPage() {
  const datasets = useDatasets()
  const [isOpen, setOpen] = useState(false)
  return (
    <Container size="lg" py="xl" component="main">
      <Group justify="space-between" mb="lg">
        <Title order={1} size="h2">
          {t('Datasets')}
        </Title>
        <Button onClick={() => setOpen(true)}>{t('New dataset')}</Button>
      </Group>
      {datasets.error && <Text c="red">{datasets.error.message}</Text>}
      {datasets.data?.length === 0 && (
        <Text c="dimmed">{t('None yet. Make one, and put photos into it.')}</Text>
      )}
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
          <Badge variant="light">{stageName(dataset.stage)}</Badge>
        </Group>
        <Progress
          value={counts.images ? (100 * done) / counts.images : 0}
          aria-label={t('Photos labelled')}
        />
        <Text size="sm" c="dimmed">
          {t('{{done}} of {{count}} photos labelled', { done, count: counts.images })},{' '}
          {t('{{count}} masks', { count: counts.masks_human + counts.masks_automatic })}
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
    <Modal opened={isOpen} onClose={onClose} title={t('New dataset')} centered>
      <form onSubmit={onSubmit}>
        <Stack>
          <TextInput
            label={t('Name')}
            value={name}
            onChange={event => setName(event.currentTarget.value)}
            required
            data-autofocus
          />
          <Button type="submit" loading={create.isPending}>
            {t('Create')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
