import { Button, Group, NumberInput, Pill, Select, Switch, Text, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { t } from '@/shared/i18n'
import type { Choice } from './choice'
import { linkedInWords } from './linked'
import { useMakers } from './queries'
import { chosenOrigins, sortNames, splitNames, stageNames, statusNames } from './words'

const TYPING_MS = 350

interface FiltersProps {
  dataset: string
  /** Whose masks photos have, by days, is how much people worked: not for all to see. */
  isReviewer: boolean
  choice: Choice
  choose: (changes: Choice, options?: { replace?: boolean }) => void
  clear: () => void
  count: number | null
  areMasksShown: boolean
  showMasks: (areShown: boolean) => void
  withChosen?: (choice: Choice) => ReactNode
}

/** Which photos, in which order. */
export function Filters(props: FiltersProps) {
  const { dataset, isReviewer, choice, choose, clear, count, areMasksShown, showMasks, withChosen } = props
  const { members, checkpoints } = useMakers(dataset)
  const people = Object.fromEntries(members.map(({ user, username }) => [user, username]))
  const models = Object.fromEntries(checkpoints.map(({ id, name }) => [id, name]))
  const pick = (
    name: keyof Choice,
    label: string,
    names: Record<string, string>,
    any: string,
    width = 150,
  ) => (
    <Select
      aria-label={label}
      size="xs"
      w={width}
      allowDeselect={false}
      data={[
        { value: '', label: any },
        ...Object.entries(names).map(([value, text]) => ({ value, label: text })),
      ]}
      value={choice[name] ?? ''}
      onChange={value => choose({ [name]: value ?? '' })}
      comboboxProps={{ width: 'max-content', position: 'bottom-start' }}
    />
  )
  const isChosen = Object.keys(choice).some(name => name !== 'sort')
  const linked = linkedInWords(choice, people)
  return (
    <Group gap="xs" mb="md" role="search" aria-label={t('Which photos')}>
      <Typed
        label={t('File name contains')}
        value={choice.name ?? ''}
        onChange={name => choose({ name }, { replace: true })}
      />
      {pick('status', t('State'), statusNames(), t('Any state'), 130)}
      {pick('split', t('Split'), splitNames(), t('Any split'), 110)}
      {pick('stage', t('Masks made in the stage'), stageNames(), t('In any stage'), 150)}
      {pick('origin', t('How masks were made'), chosenOrigins(), t('Made any way'))}
      {isReviewer && pick('person', t('Masks by'), people, t('By anybody'), 140)}
      {pick('checkpoint', t('Masks of the model'), models, t('By any model'), 150)}
      <Group gap={4} wrap="nowrap">
        <Confidence
          label={t('Confidence from')}
          hint={t('Sure from')}
          value={choice.confidence_from}
          onChange={value => choose({ confidence_from: value })}
        />
        <Text size="xs" c="dimmed" aria-hidden>
          –
        </Text>
        <Confidence
          label={t('Confidence to')}
          hint={t('to')}
          value={choice.confidence_to}
          onChange={value => choose({ confidence_to: value })}
        />
      </Group>
      {linked.map(({ names, words }) => (
        <Pill
          key={words}
          withRemoveButton
          removeButtonProps={{ 'aria-label': t('Not only: {{words}}', { words }) }}
          onRemove={() => choose(Object.fromEntries(names.map(name => [name, ''])))}
        >
          {words}
        </Pill>
      ))}
      <Select
        aria-label={t('Sort')}
        size="xs"
        w={150}
        allowDeselect={false}
        data={Object.entries(sortNames()).map(([value, label]) => ({ value, label }))}
        value={choice.sort ?? 'oldest'}
        onChange={value => choose({ sort: value === 'oldest' ? '' : (value ?? '') })}
      />
      <Switch
        size="xs"
        label={t('Masks')}
        checked={areMasksShown}
        onChange={event => showMasks(event.currentTarget.checked)}
      />
      <Group gap="xs" ml="auto">
        {isChosen && withChosen?.(choice)}
        {isChosen && (
          <Button size="compact-xs" variant="subtle" onClick={clear}>
            {t('Show all')}
          </Button>
        )}
        <Text size="sm" c="dimmed" role="status">
          {count !== null && t('{{count}} photos', { count })}
        </Text>
      </Group>
    </Group>
  )
}

/** Asks once the hand rests, not with every letter. */
function Typed({
  label,
  value,
  onChange,
}: {
  label: string
  value: string
  onChange: (text: string) => void
}) {
  const [text, setText] = useState(value)
  // Of the moment at which the hand has rested: what else was chosen meanwhile stays.
  const newest = useRef(onChange)
  newest.current = onChange
  useEffect(() => setText(value), [value])
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what is typed starts the wait
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => newest.current(text), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={t('File name')}
      size="xs"
      w={150}
      value={text}
      onChange={event => setText(event.currentTarget.value)}
    />
  )
}

interface ConfidenceProps {
  label: string
  hint: string
  value: string | undefined
  onChange: (value: string) => void
}

function Confidence({ label, hint, value, onChange }: ConfidenceProps) {
  const [text, setText] = useState<string | number>(value ?? '')
  useEffect(() => setText(value ?? ''), [value])
  const commit = () => {
    const typed = String(text)
    if (typed !== (value ?? '')) onChange(typed)
  }
  return (
    <NumberInput
      aria-label={label}
      placeholder={hint}
      size="xs"
      w={84}
      min={0}
      max={1}
      step={0.05}
      decimalScale={3}
      hideControls
      value={text}
      onChange={setText}
      onBlur={commit}
      onKeyDown={event => event.key === 'Enter' && commit()}
    />
  )
}
