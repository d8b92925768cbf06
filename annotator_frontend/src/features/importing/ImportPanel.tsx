import { Alert, Button, Group, Progress, Stack, Table, Text } from '@mantine/core'
import { type DragEvent, useEffect, useRef, useState } from 'react'
import { t } from '@/shared/i18n'
import { Section } from '@/shared/ui/Section'
import { dropped, filesOf } from './files'
import classes from './importing.module.css'
import { addFiles, forgetUnfinished, type Unfinished, unfinishedOf, useUploads } from './uploads'

const SHOWN_FAILURES = 200

/** Files and folders of this computer: dropped or chosen, any number of them. */
export function ImportPanel({ dataset }: { dataset: string }) {
  const [progress, uploader] = useUploads(dataset)
  const [isOver, setOver] = useState(false)
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const onDrop = async (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    const { found, handles } = dropped(event.dataTransfer)
    addFiles(dataset, await found, await handles)
  }
  const chosen = (input: HTMLInputElement) => {
    addFiles(dataset, { files: [...(input.files ?? [])], unreadable: [] })
    input.value = '' // choosing the same again is a choice, too
  }
  const isRunning = progress.done < progress.all
  return (
    <Section
      title={t('From this computer')}
      about={t(
        'Photos, folders of photos, and zip files of photos. What is there already is not sent again.',
      )}
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the buttons inside do the same by keyboard */}
      <div
        className={classes.drop}
        data-over={isOver}
        onDragOver={event => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={event => void onDrop(event)}
      >
        <Text>{t('Drop files or folders here')}</Text>
        <Group gap="sm">
          <Button variant="default" onClick={() => files.current?.click()}>
            {t('Choose files')}
          </Button>
          <Button variant="default" onClick={() => folder.current?.click()}>
            {t('Choose a folder')}
          </Button>
        </Group>
        <input
          ref={files}
          type="file"
          multiple
          hidden
          aria-label={t('Files')}
          accept="image/*,.zip,application/zip"
          onChange={event => chosen(event.currentTarget)}
        />
        <input
          ref={folder}
          type="file"
          hidden
          aria-label={t('Folder')}
          {...{ webkitdirectory: '' }}
          onChange={event => chosen(event.currentTarget)}
        />
      </div>
      {!isRunning && progress.all === 0 && <GoOn dataset={dataset} />}
      {progress.all > 0 && (
        <Stack gap="xs" data-testid="upload" data-state={isRunning ? 'running' : 'done'}>
          <Progress
            value={(100 * progress.done) / progress.all}
            animated={isRunning}
            aria-label={t('Files sent')}
          />
          <Group justify="space-between">
            <Text size="sm" role="status">
              {t('{{done}} of {{count}} files', { done: progress.done, count: progress.all })}
              {', '}
              {t('{{count}} photos new', { count: progress.imported })}
              {progress.alreadyThere > 0 &&
                `, ${t('{{count}} were there already', { count: progress.alreadyThere })}`}
              {progress.failures.length > 0 &&
                `, ${t('{{count}} refused', { count: progress.failures.length })}`}
              {'. '}
              {progress.waitsFor}
            </Text>
            {isRunning && (
              <Button size="compact-sm" variant="default" onClick={() => uploader.stop()}>
                {t('Stop')}
              </Button>
            )}
          </Group>
          {progress.failures.length > 0 && (
            <>
              <Failures
                failures={progress.failures
                  .slice(0, SHOWN_FAILURES)
                  .map(({ name, reason }) => [name, reason])}
              />
              {progress.failures.some(({ file }) => file) && (
                <Group>
                  <Button size="compact-sm" variant="default" onClick={() => uploader.retry()}>
                    {t('Try those again')}
                  </Button>
                </Group>
              )}
            </>
          )}
        </Stack>
      )}
    </Section>
  )
}

/** An import that a reload has cut off. */
function GoOn({ dataset }: { dataset: string }) {
  const [unfinished, setUnfinished] = useState<Unfinished | null>(null)
  const [isRefused, setRefused] = useState(false)
  useEffect(() => {
    void unfinishedOf(dataset).then(setUnfinished)
  }, [dataset])
  if (!unfinished) return null
  const goOn = async () => {
    const found = await filesOf(unfinished.handles)
    setRefused(!found)
    if (!found) return
    setUnfinished(null)
    addFiles(dataset, found, unfinished.handles)
  }
  const forget = () => {
    setUnfinished(null)
    void forgetUnfinished(dataset)
  }
  return (
    <Alert
      title={t('An import stopped at {{done}} of {{count}} files', {
        done: unfinished.done,
        count: unfinished.all,
      })}
    >
      <Stack gap="xs" align="flex-start">
        {isRefused && (
          <Text size="sm" c="red" role="alert">
            {t('The browser was not allowed to open the files again.')}
          </Text>
        )}
        <Text size="sm">
          {unfinished.handles.length && !isRefused
            ? t('It goes on where it stopped: what is there already is not sent again.')
            : t('Choose the same files or folder again: what is there already is not sent again.')}
        </Text>
        <Group gap="xs">
          {unfinished.handles.length > 0 && (
            <Button size="compact-sm" onClick={() => void goOn()}>
              {t('Go on')}
            </Button>
          )}
          <Button size="compact-sm" variant="default" onClick={forget}>
            {t('Forget it')}
          </Button>
        </Group>
      </Stack>
    </Alert>
  )
}

/** What became no photo, and why. */
export function Failures({ failures }: { failures: readonly (readonly [string, string])[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className={classes.failures} aria-label={t('Refused')} tabIndex={0}>
      <Table verticalSpacing={4} fz="sm">
        <Table.Tbody>
          {failures.map(([name, reason], index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two files may share a name
            <Table.Tr key={index}>
              <Table.Td className={classes.name}>{name}</Table.Td>
              <Table.Td>{reason}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  )
}
