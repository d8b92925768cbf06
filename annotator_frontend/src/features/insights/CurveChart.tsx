import { useElementSize } from '@mantine/hooks'
import { type KeyboardEvent, type Ref, useMemo, useRef, useState } from 'react'
import { Link } from 'react-router'
import { Signal, useSignal } from '@/shared/api/signal'
import { t } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import { when } from '@/shared/ui/words'
import type { Axis } from './axis'
import type { Curve } from './curves'
import { Drawn } from './Drawn'
import { FLOOR, HEIGHT, LANE, type Place, placeOfKey, placesOf, scalesOf } from './drawing'
import classes from './insights.module.css'
import { markInWords, placeOf, SHAPES } from './marks'
import type { Mark } from './queries'

interface CurveChartProps {
  dataset: string
  curve: Curve
  axis: Axis
  marks: readonly Mark[]
}

/**
 * One curve, with a mark at everything that happened. Tab comes to it once, arrow keys go from place to place; each is a link to
 * what is behind it. What the pointer is at only the hint knows: nothing else is drawn again for it.
 */
export function CurveChart({ dataset, curve, axis, marks }: CurveChartProps) {
  const { ref, width } = useElementSize()
  const [shown] = useState(() => new Signal<Place | null>(null))
  const [current, setCurrent] = useState(0)
  const links = useRef<(HTMLAnchorElement | null)[]>([])
  const scales = useMemo(() => scalesOf(curve, axis, width), [curve, axis, width])
  const places = useMemo(() => placesOf(curve, axis, marks, scales), [curve, axis, marks, scales])
  const at = Math.min(current, Math.max(0, places.length - 1))

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') shown.set(null)
    const to = placeOfKey(event, at, places.length)
    if (to === null) return
    event.preventDefault()
    setCurrent(to)
    links.current[to]?.focus()
  }

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
          onMouseLeave={() => shown.set(null)}
        >
          <Drawn curve={curve} axis={axis} scales={scales} />
          {places.map((place, index) => (
            <PlaceLink
              key={keyOf(place)}
              dataset={dataset}
              place={place}
              own={{
                ref: element => {
                  links.current[index] = element
                },
                tabIndex: index === at ? 0 : -1,
                onFocus: () => {
                  setCurrent(index)
                  shown.set(place)
                },
                onBlur: () => shown.set(null),
                onMouseEnter: () => shown.set(place),
              }}
            />
          ))}
        </svg>
      )}
      <Hint shown={shown} width={width} />
    </div>
  )
}

function keyOf({ stop, mark }: Place): string {
  return mark ? `${mark.kind} ${mark.at}` : `${stop.title} ${stop.x}`
}

interface PlaceLinkProps {
  dataset: string
  place: Place
  own: {
    ref: Ref<HTMLAnchorElement>
    tabIndex: number
    onFocus: () => void
    onBlur: () => void
    onMouseEnter: () => void
  }
}

function PlaceLink({ dataset, place, own }: PlaceLinkProps) {
  const { x } = place
  if (place.mark) {
    const { mark } = place
    return (
      <Link
        to={placeOf(dataset, mark)}
        aria-label={`${markInWords(mark)}, ${when(mark.at)}`}
        data-kind={mark.kind}
        className={classes.place}
        {...own}
      >
        <line x1={x} x2={x} y1={LANE - 8} y2={FLOOR} className={classes.markLine} />
        <path
          d={SHAPES[mark.kind]}
          transform={`translate(${x} ${LANE - 12})`}
          className={classes.markShape}
        />
        <rect x={x - 8} y={0} width={16} height={LANE} fill="transparent" />
      </Link>
    )
  }
  const { stop, left, right } = place
  return (
    <Link
      to={stop.href}
      aria-label={`${stop.title}: ${stop.facts.map(([name, value]) => `${name} ${value}`).join(', ')}`}
      className={classes.place}
      {...own}
    >
      <line x1={x} x2={x} y1={LANE} y2={FLOOR} className={classes.cursor} />
      <rect x={left} y={LANE} width={Math.max(1, right - left)} height={FLOOR - LANE} fill="transparent" />
    </Link>
  )
}

/** What is known of the place at hand. Said by its link, too. */
function Hint({ shown, width }: { shown: Signal<Place | null>; width: number }) {
  const place = useSignal(shown)
  if (!place) return null
  const { stop, mark, x } = place
  const isRight = x > width / 2
  return (
    <div aria-hidden className={classes.hint} style={isRight ? { right: width - x + 10 } : { left: x + 10 }}>
      <strong>{stop ? stop.title : markInWords(mark)}</strong>
      {mark && (
        <>
          <div>{when(mark.at)}</div>
          {mark.reason && <div className={classes.reason}>{said(mark.reason)}</div>}
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
