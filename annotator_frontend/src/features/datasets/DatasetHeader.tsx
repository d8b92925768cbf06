import { Anchor, Badge, Button, FileButton, Group, Title } from '@mantine/core'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import { tell, tellError } from '@/shared/ui/notify'
import { type Dataset, useUpload } from './queries'
import { stageName } from './stages'

/** Name, and the way into the work. */
export function DatasetHeader({ dataset }: { dataset: Dataset }) {
  const upload = useUpload(dataset.id)
  const onFiles = (files: File[]) => {
    if (!files.length) return
    upload.mutate(files, {
      onSuccess: ({ imported, already_there, refused }) => {
        tell(
          [
            t('{{count}} photos imported.', { count: imported.length }),
            already_there.length && t('{{count}} were there already.', { count: already_there.length }),
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
        {dataset.role === 'admin' && (
          <FileButton onChange={onFiles} accept="image/*,.zip,application/zip" multiple>
            {props => (
              <Button variant="default" loading={upload.isPending} {...props}>
                {t('Add photos')}
              </Button>
            )}
          </FileButton>
        )}
        <Button component={Link} to={`/datasets/${dataset.id}/label`} disabled={!dataset.counts.images}>
          {t('Label photos')}
        </Button>
      </Group>
    </Group>
  )
}
