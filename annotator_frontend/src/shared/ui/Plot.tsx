import { Text } from '@mantine/core'
import classes from './Plot.module.css'

export interface Series {
  name: string
  colour: string
  /** x and y; in order of x. */
  points: readonly (readonly [number, number])[]
}

interface PlotProps {
  series: readonly Series[]
  /** Said to screen readers instead of the picture. */
  summary: string
  height?: number
  /** Limits of y; what is left out comes from the data. */
  low?: number
  high?: number
  label: (y: number) => string
  /** Steps hold their value until the next point. */
  isStepped?: boolean
}

const WIDTH = 560
const LEFT = 44
const PAD = 10

/** A small line plot: a few series over one axis. */
export function Plot({ series, summary, height = 160, low, high, label, isStepped = false }: PlotProps) {
  const shown = series.filter(({ points }) => points.length)
  const [xs, ys] = [
    shown.flatMap(({ points }) => points.map(p => p[0])),
    shown.flatMap(({ points }) => points.map(p => p[1])),
  ]
  if (!xs.length) return null
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)]
  const [y0, y1] = [low ?? Math.min(...ys), high ?? Math.max(...ys)]
  const atX = (x: number) => LEFT + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - LEFT - PAD)
  const atY = (y: number) => PAD + (1 - (y - y0) / (y1 - y0 || 1)) * (height - 2 * PAD)
  const ticks = [y0, (y0 + y1) / 2, y1]
  return (
    <figure className={classes.figure}>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={summary} className={classes.plot}>
        {ticks.map(y => (
          <g key={y}>
            <line x1={LEFT} x2={WIDTH - PAD} y1={atY(y)} y2={atY(y)} className={classes.grid} />
            <text x={LEFT - 8} y={atY(y) + 4} textAnchor="end" className={classes.tick}>
              {label(y)}
            </text>
          </g>
        ))}
        {shown.map(({ name, colour, points }) => (
          <g key={name} fill="none" stroke={colour} strokeWidth={2} strokeLinejoin="round">
            <path
              d={points
                .map(([x, y], i) =>
                  i === 0
                    ? `M${atX(x)} ${atY(y)}`
                    : isStepped
                      ? `H${atX(x)}V${atY(y)}`
                      : `L${atX(x)} ${atY(y)}`,
                )
                .join('')}
            />
            {points.length <= 24 &&
              points.map(([x, y]) => (
                <circle key={x} cx={atX(x)} cy={atY(y)} r={3.5} fill={colour} stroke="none" />
              ))}
          </g>
        ))}
      </svg>
      {shown.length > 1 && (
        <figcaption className={classes.legend}>
          {shown.map(({ name, colour }) => (
            <Text key={name} size="xs" c="dimmed" component="span">
              <span className={classes.key} style={{ background: colour }} /> {name}
            </Text>
          ))}
        </figcaption>
      )}
    </figure>
  )
}
