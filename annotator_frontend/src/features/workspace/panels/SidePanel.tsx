import { Button, Group, Kbd, Stack, Text, UnstyledButton } from '@mantine/core'
import { useStore } from 'zustand'
import { t } from '@/shared/i18n'
import { isBusy } from '../editor/document'
import { chordsOf, type OwnKeys } from '../keymap'
import { type Command, keyOnButton } from '../keys'
import { iouInWords, ObjectList, type ObjectListProps } from './ObjectList'
import classes from './panels.module.css'

interface SidePanelProps extends ObjectListProps {
  own: OwnKeys
  run: (command: Command) => void
}

/** The masks that answer a first click, and the photo's objects. */
export function SidePanel({ own, run, ...props }: SidePanelProps) {
  return (
    <Stack gap={0} className={classes.side} component="aside" aria-label={t('Objects')}>
      <InWork editor={props.editor} own={own} run={run} />
      <ObjectList {...props} />
    </Stack>
  )
}

export function InWork({ editor, own, run }: Pick<SidePanelProps, 'editor' | 'own' | 'run'>) {
  const state = useStore(editor.store)
  const { candidates, chosen, prompts, isWaiting, painted, refines, masks, selected, alsoSelected } = state
  const numberOf = (id: string | null) => masks.findIndex(mask => mask.id === id) + 1
  if (!isBusy(state)) return <Idle selected={numberOf(selected)} also={alsoSelected.length} />
  const corrected = numberOf(refines)
  return (
    <div className={classes.section}>
      <Group justify="space-between" mb={8}>
        <Text size="sm" fw={600}>
          {corrected ? t('Correcting object {{number}}', { number: corrected }) : t('Object in work')}
        </Text>
        <Text size="xs" c="dimmed">
          {t('{{count}} prompts', { count: prompts.length })}
        </Text>
      </Group>
      {painted ? (
        <Text size="sm" c="dimmed" mb={10}>
          {isWaiting ? '…' : t('Painted by hand: these pixels are stored as they are.')}
        </Text>
      ) : (
        <Group gap={6} mb={10} role="radiogroup" aria-label={t('Masks offered')} wrap="nowrap">
          {candidates.map((candidate, index) => (
            <UnstyledButton
              key={candidate.index ?? 'single'}
              className={classes.candidate}
              data-chosen={index === chosen}
              role="radio"
              aria-checked={index === chosen}
              aria-label={t('Mask {{number}}, predicted IoU {{iou}}', {
                number: index + 1,
                iou: iouInWords(candidate.predictedIou),
              })}
              onClick={() => editor.choose(index)}
            >
              <Text size="xs" c="dimmed">
                {candidates.length > 1 ? index + 1 : 'IoU'}
              </Text>
              <Text size="sm" fw={600}>
                {iouInWords(candidate.predictedIou)}
              </Text>
            </UnstyledButton>
          ))}
          {isWaiting && !candidates.length && (
            <Text size="sm" c="dimmed">
              …
            </Text>
          )}
        </Group>
      )}
      <Group gap={8}>
        <Button
          size="xs"
          px={10}
          flex="1 0 auto"
          onClick={() => run('accept')}
          rightSection={<Kbd size="xs">{keyOnButton(chordsOf('accept', own))}</Kbd>}
        >
          {t('Accept')}
        </Button>
        <Button
          size="xs"
          px={10}
          flex="1 0 auto"
          variant="default"
          onClick={() => editor.clear()}
          rightSection={<Kbd size="xs">{keyOnButton(chordsOf('escape', own))}</Kbd>}
        >
          {t('Give up')}
        </Button>
      </Group>
    </div>
  )
}

/** What the next click would do. */
function Idle({ selected, also }: { selected: number; also: number }) {
  let title = t('Next object')
  let what = t('Click on it, or drag a box around it. The most prominent one first.')
  if (selected && also) {
    title = t('{{count}} objects selected', { count: also + 1 })
    what = t('Merge them, or subtract the others from object {{number}}.', { number: selected })
  } else if (selected) {
    title = t('Object {{number}} is selected', { number: selected })
    what = t('Clicks and strokes correct it. Escape lets it go.')
  }
  return (
    <div className={classes.section}>
      <Text size="sm" fw={600}>
        {title}
      </Text>
      <Text size="sm" c="dimmed" mt={4}>
        {what}
      </Text>
    </div>
  )
}
