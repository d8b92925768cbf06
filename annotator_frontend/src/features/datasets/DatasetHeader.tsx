import { Anchor, Badge, Button, FileButton, Group, Progress, SimpleGrid, Text, Title } from '@mantine/core'
import { Link } from 'react-router'
import { tell, tellError } from '@/shared/ui/notify'
import { count } from '@/shared/ui/words'
import { STAGES } from './DatasetsPage'
import { type Dataset, useUpload } from './queries'

/** Name, progress, and the way into the work. */
export function DatasetHeader({ dataset }: { dataset: Dataset }) {
  const { counts } = dataset
  const upload = useUpload(dataset.id)
  const done = counts.annotated + counts.automatic
  const onFiles = (files: File[]) => {
    if (!files.length) return
    upload.mutate(files, {
      onSuccess: ({ imported, already_there, refused }) => {
        tell(
          [
            `${count(imported.length, 'photo')} imported.`,
            already_there.length && `${already_there.length} were there already.`,
          ]
            .filter(Boolean)
            .join(' '),
        )
        for (const { file_name, message } of refused) tellError(`${file_name}: ${message}`)
      },
      onError: tellError,
    })
  }
  return (
    <>
      <Group justify="space-between" align="flex-end" mb="md">
        <div>
          <Anchor component={Link} to="/" size="sm" c="dimmed">
            ← Datasets
          </Anchor>
          <Group gap="sm">
            <Title order={1} size="h2">
              {dataset.name}
            </Title>
            <Badge variant="light">{STAGES[dataset.stage]}</Badge>
          </Group>
        </div>
        <Group gap="sm">
          {dataset.role === 'admin' && (
            <FileButton onChange={onFiles} accept="image/*,.zip,application/zip" multiple>
              {props => (
                <Button variant="default" loading={upload.isPending} {...props}>
                  Add photos
                </Button>
              )}
            </FileButton>
          )}
          <Button component={Link} to={`/datasets/${dataset.id}/label`} disabled={!counts.images}>
            Label photos
          </Button>
        </Group>
      </Group>
      <Progress.Root size="lg" mb={6} aria-label="Photos labelled">
        <Progress.Section
          value={(100 * counts.annotated) / (counts.images || 1)}
          color="teal"
          aria-label="By people"
        />
        <Progress.Section
          value={(100 * counts.automatic) / (counts.images || 1)}
          color="blue"
          aria-label="Automatic"
        />
      </Progress.Root>
      <SimpleGrid cols={{ base: 2, sm: 4 }} my="md">
        <Figure name="Photos labelled" value={`${done} of ${counts.images}`} />
        <Figure name="Masks by people" value={counts.masks_human.toLocaleString('en')} />
        <Figure name="Automatic masks" value={counts.masks_automatic.toLocaleString('en')} />
        <Figure
          name="Test photos for the gate"
          value={`${counts.test_images_annotated} of ${dataset.test_images_wanted ?? 0}`}
        />
      </SimpleGrid>
    </>
  )
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
