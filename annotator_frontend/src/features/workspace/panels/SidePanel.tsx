import { Button, Group, Kbd, Stack, Text, UnstyledButton } from '@mantine/core'
import { useStore } from 'zustand'
import { t } from '@/shared/i18n'
import type { Editor } from '../editor/editor'
import { ObjectList, type ObjectListProps, percent } from './ObjectList'
import classes from './panels.module.css'

/** The masks that answer a first click, and the photo's objects. */
export function SidePanel(props: ObjectListProps) {
  return (
    <Stack gap={0} className={classes.side} component="aside" aria-label={t('Objects')}>
      <InWork editor={props.editor} />
      <ObjectList {...props} />
    </Stack>
  )
}

function InWork({ editor }: { editor: Editor }) {
  const { candidates, chosen, prompts, isWaiting } = useStore(editor.store)
  if (!prompts.length) {
    return (
      <div className={classes.section}>
        <Text size="sm" fw={600}>
          Next object
        </Text>
        <Text size="sm" c="dimmed" mt={4}>
          Click on it, or drag a box around it. The most prominent one first.
        </Text>
      </div>
    )
  }
  return (
    <div className={classes.section}>
      <Group justify="space-between" mb={8}>
        <Text size="sm" fw={600}>
          Object in work
        </Text>
        <Text size="xs" c="dimmed">
          {prompts.length} {prompts.length === 1 ? 'prompt' : 'prompts'}
        </Text>
      </Group>
      <Group gap={6} mb={10} role="radiogroup" aria-label="Masks offered" wrap="nowrap">
        {candidates.map((candidate, index) => (
          <UnstyledButton
            key={candidate.index ?? 'single'}
            className={classes.candidate}
            data-chosen={index === chosen}
            role="radio"
            aria-checked={index === chosen}
            aria-label={`Mask ${index + 1}, predicted IoU ${percent(candidate.predictedIou)}`}
            onClick={() => editor.choose(index)}
          >
            <Text size="xs" c="dimmed">
              {candidates.length > 1 ? index + 1 : 'IoU'}
            </Text>
            <Text size="sm" fw={600}>
              {percent(candidate.predictedIou)}
            </Text>
          </UnstyledButton>
        ))}
        {isWaiting && !candidates.length && (
          <Text size="sm" c="dimmed">
            …
          </Text>
        )}
      </Group>
      <Group gap={8} grow>
        <Button
          size="xs"
          onClick={() => editor.accept()}
          disabled={isWaiting || !candidates.length}
          rightSection={<Kbd size="xs">Enter</Kbd>}
        >
          Accept
        </Button>
        <Button
          size="xs"
          variant="default"
          onClick={() => editor.clear()}
          rightSection={<Kbd size="xs">Esc</Kbd>}
        >
          Give up
        </Button>
      </Group>
    </div>
  )
}
