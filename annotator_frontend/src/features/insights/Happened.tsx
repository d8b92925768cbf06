import { Anchor, Button, Group, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import { Section } from '@/shared/ui/Section'
import { when } from '@/shared/ui/words'
import { isChange } from './axis'
import classes from './insights.module.css'
import { kindInWords, type MarkKind, markInWords, placeOf, SHAPES } from './marks'
import type { Mark } from './queries'

const SHOWN_AT_FIRST = 6

function Shape({ kind }: { kind: MarkKind }) {
  return (
    <svg width={12} height={12} viewBox="-6 -6 12 12" aria-hidden data-kind={kind} style={{ flex: 'none' }}>
      <path d={SHAPES[kind]} className={classes.markShape} />
    </svg>
  )
}

/** What the shapes in the charts mean; those that occur. */
export function MarksLegend({ marks }: { marks: readonly Mark[] }) {
  const kinds = [...new Set(marks.filter(isChange).map(({ kind }) => kind))]
  if (!kinds.length) return null
  return (
    <ul className={classes.legend} aria-label={t('Marks')}>
      {kinds.map(kind => (
        <li key={kind}>
          <Shape kind={kind} />
          {kindInWords(kind)}
        </li>
      ))}
    </ul>
  )
}

/** Every retraining, every other model, every stage; newest first. */
export function Happened({ dataset, marks }: { dataset: string; marks: readonly Mark[] }) {
  const [areAllShown, showAll] = useState(false)
  const newest = marks.toReversed()
  const shown = areAllShown ? newest : newest.slice(0, SHOWN_AT_FIRST)
  return (
    <Section title={t('What happened')}>
      <Stack gap={8} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {shown.map(mark => (
          <Group key={`${mark.kind} ${mark.at}`} component="li" gap="xs" wrap="nowrap" align="baseline">
            <Shape kind={mark.kind} />
            <div>
              <Anchor component={Link} to={placeOf(dataset, mark)} size="sm">
                {markInWords(mark)}
              </Anchor>{' '}
              <Text span size="xs" c="dimmed">
                {when(mark.at)}
              </Text>
              {mark.reason && (
                <Text size="xs" c="dimmed">
                  {said(mark.reason)}
                </Text>
              )}
            </div>
          </Group>
        ))}
      </Stack>
      {newest.length > SHOWN_AT_FIRST && (
        <Group>
          <Button size="compact-xs" variant="subtle" onClick={() => showAll(!areAllShown)}>
            {areAllShown ? t('Show the newest only') : t('Show all {{count}}', { count: newest.length })}
          </Button>
        </Group>
      )}
    </Section>
  )
}
