import { useElementSize } from '@mantine/hooks'
import { type KeyboardEvent, useRef, useState } from 'react'
import { Link } from 'react-router'
import { dateTime, number, t } from '@/shared/i18n'
import { when } from '@/shared/ui/words'
import { type Axis, marksOn, niceTicks } from './axis'
import type { Curve, Series, Spot, Stop } from './curves'
import classes from './insights.module.css'
import { markInWords, placeOf, SHAPES } from './marks'
import type { Mark } from './queries'

const HEIGHT = 208
const LEFT = 40
const RIGHT = 14
/** Where marks have their shapes, above the curves. */
const LANE = 20
const BOTTOM = 24
/** More points than this are a line without dots. */
const MOST_DOTS = 45

interface Place {
  x: number
  stop?: Stop
  mark?: Mark
}

interface CurveChartProps {
  dataset: string
  curve: Curve
  axis: Axis
  marks: readonly Mark[]
}

/**
 * One curve, with a mark at everything that happened. Tab comes to it once, arrow keys go from place to place; each is a link to
 * what is behind it.
 */
export function CurveChart({ dataset, curve, axis, marks }: CurveChartProps) {
  const { ref, width } = useElementSize()
  const [shown, setShown] = useState<Place | null>(null)
  const [current, setCurrent] = useState(0)
  const links = useRef<(HTMLAnchorElement | null)[]>([])
  const places: Place[] = [
    ...curve.stops.map(stop => ({ x: stop.x, stop })),
    ...marksOn(axis, marks).map(({ x, mark }) => ({ x, mark })),
  ].sort((a, b) => a.x - b.x)
  const at = Math.min(current, Math.max(0, places.length - 1))

  const onKeyDown = (event: KeyboardEvent) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: places.length - 1 }[event.key]
    if (event.key === 'Escape') setShown(null)
    if (to === undefined || !places[to]) return
    event.preventDefault()
    setCurrent(to)
    links.current[to]?.focus()
  }

  const [from, to] = axis.range
  const toX = (x: number) => LEFT + ((x - from) / (to - from || 1)) * (width - LEFT - RIGHT)
  const ticks = ticksOf(curve)
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const floor = HEIGHT - BOTTOM
  const toY = (y: number) => LANE + (1 - (y - low) / (high - low || 1)) * (floor - LANE)
  const hasDots = curve.stops.length <= MOST_DOTS
  const stopXs = curve.stops.map(({ x }) => toX(x))
  return (
    <div ref={ref} className={classes.chart}>
      {width > 0 && (
        // biome-ignore lint/a11y/useSemanticElements: a picture is no part of a form
        <svg
          width={width}
          height={HEIGHT}
          role="group"
          aria-label={t('{{title}}: arrow keys go from point to point', { title: curve.title })}
          onKeyDown={onKeyDown}
          onMouseLeave={() => setShown(null)}
        >
          <g aria-hidden>
            {ticks.map(y => (
              <g key={y}>
                <line x1={LEFT} x2={width - RIGHT} y1={toY(y)} y2={toY(y)} className={classes.grid} />
                <text x={LEFT - 8} y={toY(y) + 4} textAnchor="end" className={classes.tick}>
                  {curve.scale(y)}
                </text>
              </g>
            ))}
            {axis.ticks.map(x => (
              <text key={x} x={toX(x)} y={HEIGHT - 6} textAnchor="middle" className={classes.tick}>
                {axis.by === 'round' ? number(x) : dateTime(x, { day: 'numeric', month: 'short' })}
              </text>
            ))}
            {curve.hasBand && <path d={bandOf(curve.series[0]!.spots, toX, toY)} className={classes.band} />}
            {curve.series.map(series => (
              <Line key={series.name} series={series} toX={toX} toY={toY} hasDots={hasDots} />
            ))}
          </g>
          {places.map((place, index) => {
            const x = toX(place.x)
            const own = {
              ref: (element: HTMLAnchorElement | null) => {
                links.current[index] = element
              },
              tabIndex: index === at ? 0 : -1,
              onFocus: () => {
                setCurrent(index)
                setShown(place)
              },
              onBlur: () => setShown(null),
              onMouseEnter: () => setShown(place),
              className: classes.place,
            }
            if (place.mark) {
              return (
                <Link
                  key={`${place.mark.kind} ${place.mark.at}`}
                  to={placeOf(dataset, place.mark)}
                  aria-label={`${markInWords(place.mark)}, ${when(place.mark.at)}`}
                  data-kind={place.mark.kind}
                  {...own}
                >
                  <line x1={x} x2={x} y1={LANE - 8} y2={floor} className={classes.markLine} />
                  <path
                    d={SHAPES[place.mark.kind]}
                    transform={`translate(${x} ${LANE - 12})`}
                    className={classes.markShape}
                  />
                  <rect x={x - 8} y={0} width={16} height={LANE} fill="transparent" />
                </Link>
              )
            }
            const stop = place.stop!
            const nth = curve.stops.indexOf(stop)
            const left = nth > 0 ? (stopXs[nth - 1]! + x) / 2 : LEFT
            const right = nth < stopXs.length - 1 ? (stopXs[nth + 1]! + x) / 2 : width - RIGHT
            return (
              <Link
                key={`${stop.title} ${stop.x}`}
                to={stop.href}
                aria-label={`${stop.title}: ${stop.facts.map(([name, value]) => `${name} ${value}`).join(', ')}`}
                {...own}
              >
                <line x1={x} x2={x} y1={LANE} y2={floor} className={classes.cursor} />
                <rect
                  x={left}
                  y={LANE}
                  width={Math.max(1, right - left)}
                  height={floor - LANE}
                  fill="transparent"
                />
              </Link>
            )
          })}
        </svg>
      )}
      {shown && <Hint place={shown} x={toX(shown.x)} width={width} />}
    </div>
  )
}

/** What is known of the place at hand. Said by its link, too. */
function Hint({ place: { stop, mark }, x, width }: { place: Place; x: number; width: number }) {
  const isRight = x > width / 2
  return (
    <div aria-hidden className={classes.hint} style={isRight ? { right: width - x + 10 } : { left: x + 10 }}>
      <strong>{stop ? stop.title : markInWords(mark!)}</strong>
      {mark && (
        <>
          <div>{when(mark.at)}</div>
          {mark.reason && <div className={classes.reason}>{mark.reason}</div>}
        </>
      )}
      {stop && (
        <dl className={classes.facts}>
          {stop.facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  )
}

interface LineProps {
  series: Series
  toX: (x: number) => number
  toY: (y: number) => number
  hasDots: boolean
}

function Line({
  series: { spots, tone, isBeside = false, isStepped = false },
  toX,
  toY,
  hasDots,
}: LineProps) {
  const path = spots
    .map(({ x, y, from = x, to = x }, index) =>
      isStepped
        ? `${index ? `V${toY(y)}` : `M${toX(from)} ${toY(y)}`}H${toX(to)}`
        : `${index ? 'L' : 'M'}${toX(x)} ${toY(y)}`,
    )
    .join('')
  // Intervals of several series side by side.
  const aside = (tone - 2) * 5
  return (
    <g data-tone={tone} className={isBeside ? classes.beside : classes.series}>
      <path d={path} className={classes.line} />
      {hasDots &&
        !isBeside &&
        spots.map(({ x, y, low, high }) => (
          <g key={x}>
            {isStepped && low != null && high != null && (
              <line
                x1={toX(x) + aside}
                x2={toX(x) + aside}
                y1={toY(low)}
                y2={toY(high)}
                className={classes.whisker}
              />
            )}
            <circle cx={toX(x) + (isStepped ? aside : 0)} cy={toY(y)} r={3.5} className={classes.dot} />
          </g>
        ))}
    </g>
  )
}

function bandOf(spots: readonly Spot[], toX: (x: number) => number, toY: (y: number) => number): string {
  const whole = spots.filter(({ low, high }) => low != null && high != null)
  if (whole.length < 2) return ''
  const there = whole.map(({ x, high }) => `${toX(x)} ${toY(high!)}`)
  const back = whole.toReversed().map(({ x, low }) => `${toX(x)} ${toY(low!)}`)
  return `M${[...there, ...back].join('L')}Z`
}

function ticksOf({ series, floor, hasBand }: Curve): number[] {
  const values = series.flatMap(({ spots, isStepped }) =>
    spots.flatMap(({ y, low, high }) => [y, ...(hasBand || isStepped ? [low ?? y, high ?? y] : [])]),
  )
  if (!values.length) return niceTicks(0, 1, 4)
  return niceTicks(floor ?? Math.min(...values), Math.max(...values), 4)
}
