import { Table, Text, VisuallyHidden } from '@mantine/core'
import { Fragment } from 'react'
import type { Schemas } from '@/shared/api/client'
import { fixed, t } from '@/shared/i18n'
import { masksInWords } from '@/shared/ui/words'
import { verdictOn } from './better'
import classes from './compare.module.css'
import { figureNames, intervalInWords, signed } from './words'

type Figure = Schemas['FigureJson']

const SIZES = ['all', 'small', 'medium', 'large'] as const

/** A split's figures of both, with what they differ by. */
export function FiguresBeside({
  left,
  right,
  on,
}: {
  left: string
  right: string
  on: Schemas['OnSplitJson']
}) {
  if (!on.figures.length) {
    return (
      <Text size="sm" c="dimmed">
        {t('There are no photos on which both were measured. The gate measures when it compares two.')}
      </Text>
    )
  }
  const names = figureNames()
  const sizes = { all: t('All objects'), small: t('Small'), medium: t('Medium'), large: t('Large') }
  const widest = Object.fromEntries(
    Object.keys(names).map(key => [
      key,
      Math.max(
        ...on.figures
          .filter(own => own.key === key)
          .flatMap(own => [own.low ?? 0, own.high ?? 0, own.difference].map(Math.abs)),
        1e-6,
      ),
    ]),
  )
  return (
    <>
      <Table.ScrollContainer minWidth={560} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table fz="sm" verticalSpacing={3}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('Figure')}</Table.Th>
              <Table.Th className={classes.number}>{left}</Table.Th>
              <Table.Th className={classes.number}>{right}</Table.Th>
              <Table.Th className={classes.number}>{t('Difference, 95%')}</Table.Th>
              <Table.Th className={classes.wide} aria-hidden />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {SIZES.map(size => {
              const own = on.figures.filter(figure => (figure.size ?? 'all') === size)
              if (!own.length) return null
              return (
                <Fragment key={size}>
                  <Table.Tr className={classes.group}>
                    <Table.Th colSpan={5} scope="rowgroup">
                      {sizes[size]}{' '}
                      <Text span size="xs" c="dimmed">
                        {masksInWords(own[0]!.objects ?? 0)}
                      </Text>
                    </Table.Th>
                  </Table.Tr>
                  {own.map(figure => (
                    <Table.Tr key={figure.key} data-verdict={verdictOn(figure)}>
                      <Table.Td className={classes.name}>{names[figure.key] ?? figure.name}</Table.Td>
                      <Table.Td className={classes.number}>{fixed(figure.live, 3)}</Table.Td>
                      <Table.Td className={classes.number}>{fixed(figure.candidate, 3)}</Table.Td>
                      <Table.Td className={classes.number}>
                        <Sign of={verdictOn(figure)} />{' '}
                        <span className={classes.difference}>{signed(figure.difference)}</span>{' '}
                        <Text span size="xs" c="dimmed">
                          {intervalInWords(figure.low, figure.high)}
                        </Text>
                      </Table.Td>
                      <Table.Td aria-hidden>
                        <Interval figure={figure} widest={widest[figure.key]!} />
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Fragment>
              )
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="xs" c="dimmed">
        {t('▲ better, ▼ worse, by more than chance.')}{' '}
        {on.photos > 0 && t('Measured on {{count}} photos of both.', { count: on.photos })}{' '}
        {on.left_out > 0 &&
          t(
            '{{count}} photos are left out: one of the two was not measured there, or before the masks changed.',
            {
              count: on.left_out,
            },
          )}
      </Text>
    </>
  )
}

/** In a shape and a word, not in a colour alone: of some figures less is better. */
function Sign({ of }: { of: ReturnType<typeof verdictOn> }) {
  if (of === 'unclear') return null
  const word = of === 'better' ? t('better') : t('worse')
  return (
    <span className={classes.difference} title={word}>
      <span aria-hidden>{of === 'better' ? '▲' : '▼'}</span>
      <VisuallyHidden>{word}</VisuallyHidden>
    </span>
  )
}

const WIDTH = 110
const MIDDLE = WIDTH / 2

/** The difference with its interval, beside zero. */
function Interval({ figure: { low, high, difference }, widest }: { figure: Figure; widest: number }) {
  const toX = (value: number) => MIDDLE + (value / widest) * (MIDDLE - 5)
  return (
    <svg width={WIDTH} height={14} className={classes.interval} aria-hidden>
      <line x1={MIDDLE} x2={MIDDLE} y1={0} y2={14} className={classes.zero} />
      {low !== null && high !== null && (
        <line x1={toX(low)} x2={toX(high)} y1={7} y2={7} className={classes.span} />
      )}
      <circle cx={toX(difference)} cy={7} r={3.5} className={classes.dot} />
    </svg>
  )
}
