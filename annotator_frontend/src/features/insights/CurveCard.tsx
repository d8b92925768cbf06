import { Anchor, Button, Group, Paper, ScrollArea, Table, Text, Title, VisuallyHidden } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import type { Axis } from './axis'
import { CurveChart } from './CurveChart'
import type { Curve, Fact } from './curves'
import classes from './insights.module.css'
import type { Mark } from './queries'

interface CurveCardProps {
  dataset: string
  curve: Curve
  axis: Axis
  marks: readonly Mark[]
}

/** A curve, with its newest value written large; as a picture, or as a table. */
export function CurveCard({ dataset, curve, axis, marks }: CurveCardProps) {
  const [isTable, setIsTable] = useState(false)
  const { newest, oldest, before } = curve.headline
  return (
    <Paper component="section" aria-label={curve.title} withBorder px="md" py="sm">
      <Group justify="space-between" align="flex-start" wrap="nowrap" gap="xs">
        <Title order={2} size="h5" title={curve.about}>
          {curve.title}
          <VisuallyHidden>. {curve.about}</VisuallyHidden>
        </Title>
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          onClick={() => setIsTable(!isTable)}
          disabled={!curve.stops.length}
        >
          {isTable ? t('Show as a curve') : t('Show as a table')}
        </Button>
      </Group>
      <Group justify="space-between" align="flex-end" gap="xs" mb={4} mih="2.1rem">
        {newest && (
          <Group gap={8} align="baseline">
            <Link to={newest.href} className={classes.headline}>
              {newest.value}
            </Link>
            <Text size="xs" c="dimmed">
              {oldest && t('{{now}}; {{value}} in the beginning', { now: newest.name, value: oldest })}
              {before &&
                t('{{now}}; {{value}} before, on the same photos', { now: newest.name, value: before })}
              {!oldest && !before && newest.name}
            </Text>
          </Group>
        )}
        <Legend curve={curve} />
      </Group>
      {!curve.stops.length && (
        <Text size="sm" c="dimmed" py="xl" ta="center" mih={208}>
          {curve.empty}
        </Text>
      )}
      {curve.stops.length > 0 &&
        (isTable ? (
          <CurveTable curve={curve} />
        ) : (
          <CurveChart dataset={dataset} curve={curve} axis={axis} marks={marks} />
        ))}
      {curve.note && curve.series.some(({ spots }) => spots.length > 1) && (
        <Text size="xs" c="dimmed">
          {curve.note}
        </Text>
      )}
    </Paper>
  )
}

function Legend({ curve: { series, hasBand, stops } }: { curve: Curve }) {
  const shown = series.filter(({ spots }) => spots.length)
  if (!stops.length || shown.length < 2) return null
  return (
    <ul className={classes.legend} aria-label={t('Lines')}>
      {shown.map(({ name, tone, isBeside }) => (
        <li key={name} data-tone={tone}>
          <span className={classes.key} data-beside={isBeside || undefined} />
          {name}
        </li>
      ))}
      {hasBand && (
        <li>
          <span className={classes.key} data-band />
          {t('Middle half')}
        </li>
      )}
    </ul>
  )
}

function CurveTable({ curve }: { curve: Curve }) {
  const names = [...new Set(curve.stops.flatMap(({ facts }) => facts.map(([name]) => name)))]
  return (
    <ScrollArea
      h={208}
      type="auto"
      viewportProps={{ tabIndex: 0, 'aria-label': curve.title, role: 'region' }}
    >
      <Table fz="xs" verticalSpacing={3} stickyHeader>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{curve.rowsAre}</Table.Th>
            {names.map(name => (
              <Table.Th key={name} className={classes.number}>
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {curve.stops.toReversed().map(stop => (
            <Table.Tr key={`${stop.title} ${stop.x}`}>
              <Table.Td>
                <Anchor component={Link} to={stop.href} fz="xs">
                  {stop.title}
                </Anchor>
              </Table.Td>
              {names.map(name => (
                <Table.Td key={name} className={classes.number}>
                  <Value fact={stop.facts.find(([own]) => own === name)} />
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea>
  )
}

function Value({ fact }: { fact: Fact | undefined }) {
  if (!fact) return '–'
  const [, value, href] = fact
  return href ? (
    <Anchor component={Link} to={href} fz="xs">
      {value}
    </Anchor>
  ) : (
    value
  )
}
