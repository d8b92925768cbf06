import { Group, Text } from '@mantine/core'
import { useStore } from 'zustand'
import { useSignal } from '@/shared/api/signal'
import { t } from '@/shared/i18n'
import { NewVersion } from '@/shared/ui/NewVersion'
import type { Step } from '../decoder/client'
import type { ShelvedPhoto } from '../photoShelf'
import type { DraftKeeper } from '../saving/drafts'
import type { Workbench } from '../workbench'
import classes from './panels.module.css'
import { Saving } from './Saving'

type Shown = Pick<ShelvedPhoto, 'isReady' | 'isModelOut'>

interface StatusLineProps {
  bench: Workbench
  drafts: DraftKeeper
  photo: Shown
}

/** Whether everything is with the server, and what answers the clicks. */
export function StatusLine({ bench, drafts, photo }: StatusLineProps) {
  return (
    <Group className={classes.status} justify="space-between" component="footer" wrap="nowrap">
      <Saving outbox={bench.outbox} drafts={drafts} onOpen={place => bench.surroundings.onOpen(place)} />
      <NewVersion />
      <Text size="xs" c="dimmed" data-testid="decoder" className={classes.answer}>
        <Model bench={bench} photo={photo} />
      </Text>
    </Group>
  )
}

/** What the model answers on this photo. */
export function Model({ bench, photo }: { bench: Workbench; photo: Shown }) {
  const isWaiting = useStore(bench.editor.store, state => state.isWaiting)
  const isPromised = useStore(bench.editor.store, state => state.isPromised)
  const answerMs = useSignal(bench.answerMs)
  const hindrance = useSignal(bench.decoder.hindrance)
  const where = inWords(useSignal(bench.decoder.step))
  if (isWaiting && hindrance) return t('Model: no answer yet, asked again: {{why}}', { why: hindrance })
  if (photo.isModelOut) return t('Model: no answer on this photo')
  if (isPromised) return t('Accepting…')
  if (!photo.isReady) return t('Model: getting ready')
  if (isWaiting) return t('Model: answering, {{where}}', { where })
  if (answerMs === null) return t('Model: ready, {{where}}', { where })
  return t('Model: {{milliseconds}} ms, {{where}}', { milliseconds: Math.round(answerMs), where })
}

function inWords(step: Step): string {
  return step.where === 'server'
    ? t('on the server, because this browser cannot: {{why}}', { why: step.why })
    : t('in this browser, WebAssembly, {{count}} threads', { count: step.threads })
}
