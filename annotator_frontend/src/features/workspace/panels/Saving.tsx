import { Button, Group, Text } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { t } from '@/shared/i18n'
import type { Outbox, Refused, SavingState } from '../saving/outbox'
import classes from './panels.module.css'

interface SavingProps {
  outbox: Outbox
  isQuiet?: boolean
  /** Go to another page of Maskloop, by its address. */
  onOpen?: (place: string) => void
}

/** Whether everything is with the server, and what can be done where it is not. */
export function Saving({ outbox, isQuiet = false, onOpen = goTo }: SavingProps) {
  const saving = useSyncExternalStore(outbox.subscribe, outbox.getState)
  if (isQuiet && saving.name === 'saved') return null
  const isElsewhere = saving.name === 'stuck' && saving.code === 'assignment_in_another_tab'
  return (
    <Group gap="sm" role="status" aria-live="polite" wrap="nowrap" miw={0}>
      <span className={classes.light} data-state={saving.name} />
      <Text size="xs" data-testid="saving" truncate title={inWords(saving)}>
        {inWords(saving)}
      </Text>
      {saving.name === 'waiting' && (
        <Button size="compact-xs" variant="default" className={classes.answer} onClick={() => outbox.kick()}>
          {t('Try now')}
        </Button>
      )}
      {isElsewhere && (
        <Button
          size="compact-xs"
          variant="default"
          className={classes.answer}
          onClick={() => outbox.takeOver().catch(() => outbox.kick())}
        >
          {t('Take the photo over and save')}
        </Button>
      )}
      {saving.name === 'stuck' && (
        <>
          <WayOut refused={saving} outbox={outbox} onOpen={onOpen} />
          {!isElsewhere && (
            <Button
              size="compact-xs"
              variant="default"
              className={classes.answer}
              onClick={() => outbox.kick()}
            >
              {t('Try again')}
            </Button>
          )}
          <Button
            size="compact-xs"
            variant="default"
            color="red"
            className={classes.answer}
            onClick={() => void outbox.dropFirst()}
          >
            {t('Give this one up')}
          </Button>
        </>
      )}
    </Group>
  )
}

/** A photo that the server does not take as finished, and that is not on show any more: where something can be done about it. */
function WayOut({
  refused: { code, extra },
  outbox,
  onOpen,
}: {
  refused: Refused
  outbox: Outbox
  onOpen: (place: string) => void
}) {
  if (code === 'masks_undecided') {
    return (
      <Button size="compact-xs" className={classes.answer} onClick={() => outbox.giveBackFirst()}>
        {t('Give the photo back')}
      </Button>
    )
  }
  if (code !== 'masks_uncorrected') return null
  // It is submitted anew, from there.
  const open = () => onOpen(`/datasets/${extra.dataset}/label?job=correct&image=${extra.image}`)
  return (
    <Button size="compact-xs" className={classes.answer} onClick={() => void outbox.dropFirst().then(open)}>
      {t('Open the photo')}
    </Button>
  )
}

function goTo(place: string): void {
  window.location.assign(place)
}

function inWords(state: SavingState): string {
  switch (state.name) {
    case 'saved':
      return t('Saved')
    case 'saving':
      return t('Saving, {{unsent}} to go', { unsent: state.unsent })
    case 'waiting':
      return t('Not saved yet ({{unsent}}), kept in this browser: {{why}}', {
        unsent: state.unsent,
        why: state.why,
      })
    case 'stuck':
      return t('Not saved ({{unsent}} kept in this browser): {{why}}', {
        unsent: state.unsent,
        why: state.why,
      })
  }
}
