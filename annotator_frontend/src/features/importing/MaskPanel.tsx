import { Button, Checkbox, Group, Progress, Stack, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { t } from '@/shared/i18n'
import { Section } from '@/shared/ui/Section'
import { withoutNoise } from './files'
import { Failures } from './ImportPanel'
import { maskUploadsOf } from './maskUploads'

const SHOWN_FAILURES = 200

/** Masks that somebody has made elsewhere, of photos that the dataset has. */
export function MaskPanel({ dataset }: { dataset: string }) {
  const uploads = maskUploadsOf(dataset)
  const progress = useSyncExternalStore(uploads.subscribe, () => uploads.progress)
  const [isComplete, setComplete] = useState(false)
  const queries = useQueryClient()
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const isRunning = progress.done < progress.all
  useEffect(() => {
    if (!isRunning) void queries.invalidateQueries({ queryKey: ['dataset', dataset] })
  }, [isRunning, queries, dataset])
  const chosen = (input: HTMLInputElement) => {
    uploads.send(withoutNoise([...(input.files ?? [])]), isComplete)
    input.value = '' // choosing the same again is a choice, too
  }
  return (
    <Section
      title={t('Masks that exist already')}
      about={t(
        'Label maps (a PNG for each photo, named as it is; a value for each object, 0 for none), or a COCO json. The photos come first. The same file again adds nothing.',
      )}
    >
      <Stack gap="sm">
        <Checkbox
          label={t('Nothing is left to label on these photos')}
          checked={isComplete}
          disabled={isRunning}
          onChange={event => setComplete(event.currentTarget.checked)}
        />
        <Group gap="sm">
          <Button variant="default" disabled={isRunning} onClick={() => files.current?.click()}>
            {t('Choose masks')}
          </Button>
          <Button variant="default" disabled={isRunning} onClick={() => folder.current?.click()}>
            {t('Choose a folder of masks')}
          </Button>
          {isRunning && (
            <Button variant="default" onClick={() => uploads.stop()}>
              {t('Stop')}
            </Button>
          )}
        </Group>
        <input
          ref={files}
          type="file"
          multiple
          hidden
          aria-label={t('Files of masks')}
          accept=".png,.json,image/png,application/json"
          onChange={event => chosen(event.currentTarget)}
        />
        <input
          ref={folder}
          type="file"
          hidden
          aria-label={t('Folder of masks')}
          {...{ webkitdirectory: '' }}
          onChange={event => chosen(event.currentTarget)}
        />
        {progress.all > 0 && (
          <Stack gap="xs" data-testid="mask-upload" data-state={isRunning ? 'running' : 'done'}>
            <Progress
              value={(100 * progress.done) / progress.all}
              animated={isRunning}
              aria-label={t('Files of masks sent')}
            />
            <Text size="sm" role="status">
              {t('{{done}} of {{count}} files', { done: progress.done, count: progress.all })}
              {', '}
              {t('{{count}} masks new', { count: progress.imported })}
              {progress.alreadyThere > 0 &&
                `, ${t('{{count}} were there already', { count: progress.alreadyThere })}`}
              {progress.failures.length > 0 &&
                `, ${t('{{count}} refused', { count: progress.failures.length })}`}
              {'. '}
              {progress.waitsFor}
            </Text>
            {progress.failures.length > 0 && (
              <Failures
                failures={progress.failures
                  .slice(0, SHOWN_FAILURES)
                  .map(({ name, reason }) => [name, reason])}
              />
            )}
            {!isRunning && progress.failures.some(({ file }) => file) && (
              <Group>
                <Button size="compact-sm" variant="default" onClick={() => uploads.retry()}>
                  {t('Try those again')}
                </Button>
              </Group>
            )}
          </Stack>
        )}
      </Stack>
    </Section>
  )
}
