import { memo } from 'react'
import { dateTime, number } from '@/shared/i18n'
import type { Axis } from './axis'
import type { Curve, Series } from './curves'
import { bandOf, HEIGHT, LEFT, lineOf, RIGHT, type Scales } from './drawing'
import classes from './insights.module.css'

/** More points than this are a line without dots. */
const MOST_DOTS = 45

interface DrawnProps {
  curve: Curve
  axis: Axis
  scales: Scales
}

/** The picture itself: scales, lines, and what lies around them. */
export const Drawn = memo(function Drawn({ curve, axis, scales }: DrawnProps) {
  const { width, toX, toY, ticks } = scales
  const hasDots = curve.stops.length <= MOST_DOTS
  return (
    <g aria-hidden>
      {ticks.map(([y, label]) => (
        <g key={y}>
          <line x1={LEFT} x2={width - RIGHT} y1={toY(y)} y2={toY(y)} className={classes.grid} />
          <text x={LEFT - 8} y={toY(y) + 4} textAnchor="end" className={classes.tick}>
            {label}
          </text>
        </g>
      ))}
      {axis.ticks.map(x => (
        <text key={x} x={toX(x)} y={HEIGHT - 6} textAnchor="middle" className={classes.tick}>
          {axis.by === 'round' ? number(x) : dateTime(x, { day: 'numeric', month: 'short' })}
        </text>
      ))}
      {curve.hasBand && <path d={bandOf(curve.series[0]!.spots, scales)} className={classes.band} />}
      {curve.series.map(series => (
        <Line key={series.name} series={series} scales={scales} hasDots={hasDots} />
      ))}
    </g>
  )
})

function Line({ series, scales, hasDots }: { series: Series; scales: Scales; hasDots: boolean }) {
  const { spots, tone, isBeside = false, isStepped = false } = series
  const { toX, toY } = scales
  // Intervals of several series side by side.
  const aside = (tone - 2) * 5
  return (
    <g data-tone={tone} className={isBeside ? classes.beside : classes.series}>
      <path d={lineOf(series, scales)} className={classes.line} />
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
