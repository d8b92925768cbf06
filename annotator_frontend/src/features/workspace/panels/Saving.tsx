import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { Signal, useSignal } from '@/shared/api/signal'
import { dateTime, t } from '@/shared/i18n'
import type { DraftKeeper } from '../saving/drafts'
import {
  type Entry,
  madeAt,
  type Operation,
  type Outbox,
  type Refused,
  type SavingState,
} from '../saving/outbox'
import classes from './panels.module.css'

const KEPT = new Signal<string | null>(null)

interface SavingProps {
  outbox: Outbox
  /** Of the photo at hand, where there is one. */
  drafts?: DraftKeeper
  isQuiet?: boolean
  /** Go to another page of Maskloop, by its address. */
  onOpen?: (place: string) => void
}

/** Whether everything is with the server, and what can be done where it is not. */
export function Saving({ outbox, drafts, isQuiet = false, onOpen = goTo }: SavingProps) {
  const saving = useSyncExternalStore(outbox.subscribe, outbox.getState, outbox.getState)
  const undrafted = useSignal(drafts?.unkept ?? KEPT)
  const [asked, setAsked] = useState<readonly Entry[]>([])
  const isSaved = saving.name === 'saved'
  useEffect(() => {
    if (isSaved) setAsked([]) // it was sent after all
  }, [isSaved])
  if (isQuiet && isSaved) return null
  const isElsewhere = saving.name === 'stuck' && saving.code === 'assignment_in_another_tab'
  return (
    <Group gap="sm" role="status" aria-live="polite" wrap="nowrap" miw={0}>
      <span className={classes.light} data-state={saving.name} />
      <Text size="xs" data-testid="saving" truncate title={inWords(saving)}>
        {inWords(saving)}
      </Text>
      {undrafted !== null && (
        <Text size="xs" c="red" truncate title={undraftedInWords(undrafted)}>
          {undraftedInWords(undrafted)}
        </Text>
      )}
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
            onClick={() => setAsked(saving.held)}
          >
            {t('Give it up…')}
          </Button>
        </>
      )}
      <GivingUp
        held={asked}
        onClose={() => setAsked([])}
        onGiveUp={entries => {
          setAsked([])
          void outbox.giveUp(entries)
        }}
      />
    </Group>
  )
}

/** Asks once more: what is given up is nowhere else. Where more waits on the same photo, all of it can go at once. */
function GivingUp({
  held,
  onClose,
  onGiveUp,
}: {
  held: readonly Entry[]
  onClose: () => void
  onGiveUp: (entries: readonly Entry[]) => void
}) {
  const [first] = held
  if (!first) return null
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('Give this up?')}
      centered
      closeButtonProps={{ 'aria-label': t('Close') }}
    >
      <Stack>
        <WhatGoes entry={first} />
        <Text size="sm">{t('The server does not have it: it is gone for good then.')}</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {t('Cancel')}
          </Button>
          {held.length > 1 && (
            <Button color="red" variant="light" onClick={() => onGiveUp(held)}>
              {t('Give up all {{count}} of this photo', { count: held.length })}
            </Button>
          )}
          <Button color="red" onClick={() => onGiveUp([first])}>
            {t('Give this one up')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

/** What is given up: what it is, of which photo, and when it was made. */
export function WhatGoes({ entry: { name, operation } }: { entry: Entry }) {
  return (
    <Text size="sm">
      {t('{{what}}. Photo: {{photo}}. Made: {{when}}.', {
        what: operationInWords(operation),
        photo: operation.fileName ?? operation.image,
        when: dateTime(madeAt(name)),
      })}
    </Text>
  )
}

function operationInWords(operation: Operation): string {
  switch (operation.kind) {
    case 'put':
      return operation.body.replaces ? t('A correction of an object') : t('An object')
    case 'remove':
      return t('The removal of an object')
    case 'submit':
      return t('The submission of the photo')
    case 'skip':
      return t('Skipping the photo')
    case 'release':
      return t('Giving the photo back')
    default:
      return t('Something that another version of this page made')
  }
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
      return state.unkept === null
        ? t('Not saved yet ({{unsent}}), kept in this browser: {{why}}', { ...state })
        : t(
            'Not saved yet ({{unsent}}), and in this page alone, so keep it open: {{why}} This browser keeps nothing ({{unkept}}).',
            { ...state },
          )
    case 'stuck':
      return state.unkept === null
        ? t('Not saved ({{unsent}} kept in this browser): {{why}}', { ...state })
        : t(
            'Not saved ({{unsent}} in this page alone, so keep it open): {{why}} This browser keeps nothing ({{unkept}}).',
            { ...state },
          )
  }
}

function undraftedInWords(why: string): string {
  return t('The object in work is in this page alone ({{why}}): accept it before you close the page.', {
    why,
  })
}
