import { Group, Text } from '@mantine/core'
import { NewVersion } from '@/shared/ui/NewVersion'
import type { Outbox } from '../saving/outbox'
import classes from './panels.module.css'
import { Saving } from './Saving'

interface StatusLineProps {
  outbox: Outbox
  decoder: string
}

/** Whether everything is with the server, and what answers the clicks. */
export function StatusLine({ outbox, decoder }: StatusLineProps) {
  return (
    <Group className={classes.status} justify="space-between" component="footer" wrap="nowrap">
      <Saving outbox={outbox} />
      <NewVersion />
      <Text size="xs" c="dimmed" data-testid="decoder" className={classes.answer}>
        {decoder}
      </Text>
    </Group>
  )
}
