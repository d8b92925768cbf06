import { Button, Group, Text } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import type { Outbox, SavingState } from '../saving/outbox'
import classes from './panels.module.css'

interface StatusLineProps {
  outbox: Outbox
  decoder: string
}

/** Whether everything is with the server, and what answers the clicks. */
export function StatusLine({ outbox, decoder }: StatusLineProps) {
  const saving = useSyncExternalStore(outbox.subscribe, outbox.getState)
  return (
    <Group className={classes.status} justify="space-between" component="footer">
      <Group gap="sm" role="status" aria-live="polite">
        <span className={classes.light} data-state={saving.name} />
        <Text size="xs" data-testid="saving">
          {inWords(saving)}
        </Text>
        {saving.name === 'waiting' && (
          <Button size="compact-xs" variant="default" onClick={() => outbox.kick()}>
            Try now
          </Button>
        )}
        {saving.name === 'stuck' && (
          <>
            <Button size="compact-xs" variant="default" onClick={() => outbox.kick()}>
              Try again
            </Button>
            <Button size="compact-xs" variant="default" color="red" onClick={() => outbox.dropFirst()}>
              Give this one up
            </Button>
          </>
        )}
      </Group>
      <Text size="xs" c="dimmed" data-testid="decoder">
        {decoder}
      </Text>
    </Group>
  )
}

function inWords(state: SavingState): string {
  switch (state.name) {
    case 'saved':
      return 'Saved'
    case 'saving':
      return `Saving, ${state.unsent} to go`
    case 'waiting':
      return `Not saved yet (${state.unsent}), kept in this browser: ${state.why}`
    case 'stuck':
      return `The server refuses: ${state.why} (${state.unsent} kept in this browser)`
  }
}
