import {
  ActionIcon,
  Badge,
  Button,
  Group,
  Kbd,
  ScrollArea,
  Stack,
  Text,
  Tooltip,
  UnstyledButton,
} from '@mantine/core'
import { useStore } from 'zustand'
import { areaOf } from '@/shared/geometry/bitmask'
import { colourOf } from '../editor/colours'
import type { Editor } from '../editor/editor'
import classes from './panels.module.css'

const ORIGINS = {
  assisted: 'by you',
  brush: 'by brush',
  proposed: 'proposed',
  automatic: 'automatic',
  imported: 'imported',
} as const

/** The masks that answer a first click, and the photo's objects. */
export function SidePanel({ editor }: { editor: Editor }) {
  return (
    <Stack gap={0} className={classes.side} component="aside" aria-label="Objects">
      <InWork editor={editor} />
      <Objects editor={editor} />
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

function Objects({ editor }: { editor: Editor }) {
  const { masks, selected } = useStore(editor.store)
  return (
    <>
      <Group className={classes.heading} justify="space-between">
        <Text size="sm" fw={600}>
          Objects
        </Text>
        <Badge variant="default" size="sm" data-testid="object-count">
          {masks.length}
        </Badge>
      </Group>
      <ScrollArea flex={1} type="auto" offsetScrollbars>
        <ul className={classes.list}>
          {masks.map((mask, index) => (
            <li key={mask.id} className={classes.object} data-selected={mask.id === selected}>
              <UnstyledButton
                className={classes.select}
                aria-pressed={mask.id === selected}
                aria-label={`Object ${index + 1}`}
                onClick={() => editor.select(mask.id === selected ? null : mask.id)}
              >
                <span className={classes.swatch} style={{ background: colourOf(index) }} />
                <span className={classes.name}>Object {index + 1}</span>
                <Text size="xs" c="dimmed" component="span">
                  {ORIGINS[mask.origin]} · {areaOf(mask.mask).toLocaleString('en')} px
                </Text>
              </UnstyledButton>
              <Tooltip label="Remove" openDelay={400}>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="sm"
                  aria-label={`Remove object ${index + 1}`}
                  onClick={() => editor.remove(mask.id)}
                >
                  <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
                    <path
                      d="M3 3l10 10M13 3L3 13"
                      stroke="currentColor"
                      strokeWidth="1.8"
                      strokeLinecap="round"
                    />
                  </svg>
                </ActionIcon>
              </Tooltip>
            </li>
          ))}
        </ul>
        {!masks.length && (
          <Text size="sm" c="dimmed" px="md" py="xs">
            None yet.
          </Text>
        )}
      </ScrollArea>
    </>
  )
}

function percent(share: number): string {
  return `${Math.round(100 * Math.min(Math.max(share, 0), 1))}%`
}
