import { ActionIcon, Alert, Button, Group, Kbd, Modal, Stack, Text, TextInput, Title } from '@mantine/core'
import { useEffect, useState } from 'react'
import { t } from '@/shared/i18n'
import {
  chordsOf,
  isFixed,
  lostChords,
  type OwnKeys,
  whyNot,
  withChord,
  withoutChord,
  withUsual,
} from '../keymap'
import { COMMANDS, type Command, chordInWords, chordOf, HANDS, inLatin } from '../keys'
import classes from './KeySheet.module.css'

const GROUPS = [...new Set(Object.values(COMMANDS).map(({ group }) => group))]
const MODIFIERS = ['Control', 'Shift', 'Alt', 'AltGraph', 'Meta', 'CapsLock', 'Dead', 'Process']

interface KeySheetProps {
  isOpen: boolean
  onClose: () => void
  own: OwnKeys
  onChange: (own: OwnKeys) => void
}

/** All keys, and where they are changed. */
export function KeySheet({ isOpen, onClose, own, onChange }: KeySheetProps) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={t('Keys')} size="xl" centered closeOnEscape={false}>
      {/* Begins anew each time it is opened. */}
      {isOpen && <Sheet own={own} onChange={onChange} onClose={onClose} />}
    </Modal>
  )
}

/** A key that was pressed for a command which cannot have it as it is. */
interface Question {
  command: Command
  chord: string
  holder: Command | null
}

function Sheet({ own, onChange, onClose }: Omit<KeySheetProps, 'isOpen'>) {
  const [sought, setSought] = useState('')
  const [isChanging, setChanging] = useState(false)
  const [listening, setListening] = useState<Command | null>(null)
  const [question, setQuestion] = useState<Question | null>(null)

  // Before any other listener: while a key is waited for, all keys are meant.
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (!listening) {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        if (question) setQuestion(null)
        else onClose()
        return
      }
      event.preventDefault()
      event.stopPropagation()
      if (MODIFIERS.includes(event.key)) return
      setListening(null)
      if (event.key === 'Escape') return
      const chord = chordOf(inLatin(event))
      const holder = (Object.keys(COMMANDS) as Command[]).find(
        other => other !== listening && chordsOf(other, own).includes(chord),
      )
      if (whyNot(chord) || holder) setQuestion({ command: listening, chord, holder: holder ?? null })
      else onChange(withChord(own, listening, chord))
    }
    window.addEventListener('keydown', onKeyDown, { capture: true })
    return () => window.removeEventListener('keydown', onKeyDown, { capture: true })
  }, [listening, question, own, onChange, onClose])

  const listen = (command: Command) => {
    setQuestion(null)
    setListening(command)
  }
  const words = sought.trim().toLowerCase()
  const isSought = (texts: readonly string[]) => texts.some(text => text.toLowerCase().includes(words))
  const hands = HANDS.filter(([hand, meaning]) => isSought([t(hand), t(meaning)]))

  return (
    <Stack gap="md">
      <Group gap="sm" wrap="nowrap">
        <TextInput
          flex={1}
          placeholder={t('Search a key or what it does')}
          aria-label={t('Search a key or what it does')}
          value={sought}
          onChange={event => setSought(event.currentTarget.value)}
          data-autofocus
        />
        {isChanging && Object.keys(own).length > 0 && (
          <Button variant="default" onClick={() => onChange({})}>
            {t('All as usual')}
          </Button>
        )}
        <Button variant={isChanging ? 'filled' : 'default'} onClick={() => setChanging(now => !now)}>
          {isChanging ? t('Done') : t('Change keys')}
        </Button>
      </Group>
      {hands.length > 0 && !isChanging && (
        <section aria-label={t('Mouse')}>
          <Title order={3} className={classes.heading}>
            {t('Mouse')}
          </Title>
          {hands.map(([hand, meaning]) => (
            <div className={classes.row} key={hand}>
              <Text size="sm">{t(meaning)}</Text>
              <Kbd>{t(hand)}</Kbd>
            </div>
          ))}
        </section>
      )}
      {GROUPS.map(group => {
        const commands = (Object.keys(COMMANDS) as Command[]).filter(
          command =>
            COMMANDS[command].group === group &&
            isSought([t(COMMANDS[command].label), ...chordsOf(command, own).map(chordInWords)]),
        )
        if (!commands.length) return null
        return (
          <section key={group} aria-label={t(group)}>
            <Title order={3} className={classes.heading}>
              {t(group)}
            </Title>
            {commands.map(command => (
              <Row
                key={command}
                command={command}
                own={own}
                isChanging={isChanging && !isFixed(command)}
                isListening={listening === command}
                question={question?.command === command ? question : null}
                onListen={() => listen(command)}
                onAnswer={isTaken => {
                  if (isTaken && question) onChange(withChord(own, command, question.chord))
                  setQuestion(null)
                }}
                onChange={onChange}
              />
            ))}
          </section>
        )
      })}
    </Stack>
  )
}

interface RowProps {
  command: Command
  own: OwnKeys
  isChanging: boolean
  isListening: boolean
  question: Question | null
  onListen: () => void
  onAnswer: (isTaken: boolean) => void
  onChange: (own: OwnKeys) => void
}

function Row({ command, own, isChanging, isListening, question, onListen, onAnswer, onChange }: RowProps) {
  const what = t(COMMANDS[command].label)
  const lost = new Map(lostChords(command, own))
  return (
    <>
      <div className={classes.row}>
        <Text size="sm">{what}</Text>
        <Group gap={6} wrap="nowrap">
          {chordsOf(command, own).map(chord => (
            <Kbd key={chord} className={classes.key} data-lost={lost.has(chord)}>
              {chordInWords(chord)}
              {isChanging && (
                <ActionIcon
                  size={16}
                  variant="transparent"
                  color="gray"
                  aria-label={t('Take {{key}} away from: {{what}}', { key: chordInWords(chord), what })}
                  onClick={() => onChange(withoutChord(own, command, chord))}
                >
                  ×
                </ActionIcon>
              )}
            </Kbd>
          ))}
          {isChanging && own[command] && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              aria-label={t('As usual: {{what}}', { what })}
              onClick={() => onChange(withUsual(own, command))}
            >
              {t('As usual')}
            </Button>
          )}
          {isChanging && (
            <Button
              size="compact-xs"
              variant={isListening ? 'filled' : 'default'}
              aria-label={t('Add a key: {{what}}', { what })}
              onClick={onListen}
            >
              {isListening ? t('Press a key') : '+'}
            </Button>
          )}
        </Group>
      </div>
      {[...lost].map(([chord, holder]) => (
        <Text key={chord} size="xs" c="yellow" className={classes.note}>
          {t('{{key}} does this instead: {{what}}', {
            key: chordInWords(chord),
            what: t(COMMANDS[holder].label),
          })}
        </Text>
      ))}
      {question && <Asked question={question} onAnswer={onAnswer} />}
    </>
  )
}

function Asked({
  question: { chord, holder },
  onAnswer,
}: {
  question: Question
  onAnswer: (isTaken: boolean) => void
}) {
  const key = chordInWords(chord)
  const why = whyNot(chord)
  const canTake = !why && holder !== null && !isFixed(holder)
  return (
    <Alert color="yellow" py="xs" role="alert">
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm">
          {why === 'held' && t('{{key}} works while it is held, and cannot be a command.', { key })}
          {why === 'browser' && t('The browser keeps {{key}} for itself.', { key })}
          {!why &&
            holder &&
            t('{{key}} does this already: {{what}}', { key, what: t(COMMANDS[holder].label) })}
        </Text>
        <Group gap="xs" wrap="nowrap">
          {canTake && (
            <Button size="compact-sm" onClick={() => onAnswer(true)} data-autofocus>
              {t('Take it from there')}
            </Button>
          )}
          <Button size="compact-sm" variant="default" onClick={() => onAnswer(false)}>
            {t('Leave it')}
          </Button>
        </Group>
      </Group>
    </Alert>
  )
}
