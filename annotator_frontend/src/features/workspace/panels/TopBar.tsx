import { Anchor, Button, Group, Kbd, Text, Tooltip } from '@mantine/core'
import type { ReactNode } from 'react'
import { t } from '@/shared/i18n'
import { JOBS } from '../jobs'
import { chordsOf, type OwnKeys } from '../keymap'
import { keyOnButton } from '../keys'
import type { Assignment } from '../photoShelf'
import classes from '../workspace.module.css'

/** What cannot be done now is null. */
interface TopBarProps {
  title: string
  assignment: Assignment | null
  skipMenu: ReactNode
  onBack: () => void
  onUndo: (() => void) | null
  onRedo: (() => void) | null
  onGuidelines: () => void
  onKeys: () => void
  own: OwnKeys
  onSubmit: ((complete: boolean) => void) | null
}

/** Which photo it is, and what is done with all of it. */
export function TopBar({
  title,
  assignment,
  skipMenu,
  onBack,
  onUndo,
  onRedo,
  onGuidelines,
  onKeys,
  own,
  onSubmit,
}: TopBarProps) {
  return (
    <Group className={classes.bar} justify="space-between" wrap="nowrap" component="header">
      <Group gap="md" wrap="nowrap" miw={0}>
        <Anchor
          component="button"
          size="sm"
          onClick={onBack}
          c="dimmed"
          truncate
          maw="20rem"
          style={{ flex: 'none' }}
        >
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
      <Group gap={8} wrap="nowrap" style={{ flex: 'none' }}>
        <Button size="xs" variant="subtle" color="gray" onClick={onUndo ?? undefined} disabled={!onUndo}>
          {t('Undo')}
        </Button>
        <Button size="xs" variant="subtle" color="gray" onClick={onRedo ?? undefined} disabled={!onRedo}>
          {t('Redo')}
        </Button>
        <Tooltip label={t('What this dataset wants outlined')}>
          <Button size="xs" variant="subtle" color="gray" onClick={onGuidelines}>
            {t('Guidelines')}
          </Button>
        </Tooltip>
        <Tooltip label={t('Keys')}>
          <Button size="xs" variant="subtle" color="gray" aria-label={t('Keys')} onClick={onKeys}>
            ?
          </Button>
        </Tooltip>
        {skipMenu}
        <Tooltip label={t('Submit, and say that nothing is left to label here')}>
          <Button size="xs" variant="light" onClick={() => onSubmit?.(true)} disabled={!onSubmit}>
            {t('Submit as complete')}
          </Button>
        </Tooltip>
        <Button
          size="xs"
          onClick={() => onSubmit?.(false)}
          disabled={!onSubmit}
          rightSection={<Kbd size="xs">{keyOnButton(chordsOf('submit', own))}</Kbd>}
        >
          {t('Submit')}
        </Button>
      </Group>
    </Group>
  )
}
