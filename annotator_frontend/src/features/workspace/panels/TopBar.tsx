import { Anchor, Button, Group, Kbd, Text, Tooltip } from '@mantine/core'
import type { ReactNode } from 'react'
import { useStore } from 'zustand'
import { t } from '@/shared/i18n'
import type { Editor } from '../editor/editor'
import { JOBS } from '../jobs'
import { chordsOf, type OwnKeys } from '../keymap'
import { type Command, keyOnButton } from '../keys'
import type { Assignment } from '../photoShelf'
import classes from '../workspace.module.css'

interface TopBarProps {
  title: string
  assignment: Assignment | null
  editor: Editor
  skipMenu: ReactNode
  own: OwnKeys
  run: (command: Command) => void
  isWatching: boolean
  canSubmit: boolean
  onBack: () => void
}

/** Which photo it is, and what is done with all of it. */
export function TopBar({
  title,
  assignment,
  editor,
  skipMenu,
  own,
  run,
  isWatching,
  canSubmit,
  onBack,
}: TopBarProps) {
  const canUndo = useStore(editor.store, state => state.past.length > 0)
  const canRedo = useStore(editor.store, state => state.future.length > 0)
  return (
    <Group className={classes.bar} justify="space-between" wrap="nowrap" component="header">
      <Group gap="md" wrap="nowrap" miw={0}>
        <Anchor component="button" size="sm" onClick={onBack} c="dimmed" truncate maw="20rem" miw="4rem">
          ← {title}
        </Anchor>
        {assignment && (
          <Text size="sm" truncate>
            {assignment.image.file_name}
            <Text span c="dimmed" size="xs" ml={8}>
              {assignment.image.width} × {assignment.image.height}
              {assignment.image.split === 'test' &&
                ` · ${t('test photo: label it with care, it decides which model is better')}`}
              {JOBS[assignment.job] && ` · ${t(JOBS[assignment.job]!.says)}`}
            </Text>
          </Text>
        )}
      </Group>
      <Group className={classes.acts} gap={8} wrap="nowrap" flex="none">
        <Button
          size="xs"
          variant="subtle"
          color="gray"
          onClick={() => run('undo')}
          disabled={!canUndo || isWatching}
        >
          {t('Undo')}
        </Button>
        <Button
          size="xs"
          variant="subtle"
          color="gray"
          onClick={() => run('redo')}
          disabled={!canRedo || isWatching}
        >
          {t('Redo')}
        </Button>
        <Tooltip label={t('What this dataset wants outlined')}>
          <Button size="xs" variant="subtle" color="gray" onClick={() => run('guidelines')}>
            {t('Guidelines')}
          </Button>
        </Tooltip>
        <Tooltip label={t('Keys')}>
          <Button size="xs" variant="subtle" color="gray" aria-label={t('Keys')} onClick={() => run('help')}>
            ?
          </Button>
        </Tooltip>
        {skipMenu}
        <Tooltip label={t('Submit, and say that nothing is left to label here')}>
          <Button size="xs" variant="light" onClick={() => run('submit complete')} disabled={!canSubmit}>
            {t('Submit as complete')}
          </Button>
        </Tooltip>
        <Button
          size="xs"
          onClick={() => run('submit')}
          disabled={!canSubmit}
          rightSection={<Kbd size="xs">{keyOnButton(chordsOf('submit', own))}</Kbd>}
        >
          {t('Submit')}
        </Button>
      </Group>
    </Group>
  )
}
