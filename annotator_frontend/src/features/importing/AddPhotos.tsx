import { Anchor, Button, FileButton, Text } from '@mantine/core'
import { useEffect, useRef } from 'react'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import { tell } from '@/shared/ui/notify'
import { addFiles, useUploads } from './uploads'

/** The short way to import, and how far an import is, on every page of a dataset. */
export function AddPhotos({ dataset }: { dataset: string }) {
  const [{ all, done, imported, failures }] = useUploads(dataset)
  const isRunning = done < all
  const wasRunning = useRef(false)
  useEffect(() => {
    if (wasRunning.current && !isRunning) {
      tell(
        [
          t('{{count}} photos imported.', { count: imported }),
          failures.length ? t('{{count}} refused: see Import.', { count: failures.length }) : '',
        ].join(' '),
      )
    }
    wasRunning.current = isRunning
  }, [isRunning, imported, failures.length])
  return (
    <>
      {isRunning && (
        <Anchor component={Link} to={`/datasets/${dataset}/import`} size="sm">
          {t('Importing: {{done}} of {{all}}', { done, all })}
        </Anchor>
      )}
      {!isRunning && failures.length > 0 && (
        <Anchor component={Link} to={`/datasets/${dataset}/import`} size="sm" c="red.4">
          <Text span inherit>
            {t('{{count}} refused', { count: failures.length })}
          </Text>
        </Anchor>
      )}
      <FileButton
        onChange={files => addFiles(dataset, { files, unreadable: [] })}
        accept="image/*,.zip,application/zip"
        multiple
      >
        {props => (
          <Button variant="default" {...props}>
            {t('Add photos')}
          </Button>
        )}
      </FileButton>
    </>
  )
}
