import { type Axis, labelsOf, marksOn, niceTicks } from './axis'
import type { Curve, Series, Spot, Stop } from './curves'
import type { Mark } from './queries'

export const HEIGHT = 208
export const LEFT = 40
export const RIGHT = 14
/** Where marks have their shapes, above the curves. */
export const LANE = 20
export const FLOOR = HEIGHT - 24

type Scale = (value: number) => number

/** Where values are in a picture of some width, in pixels. */
export interface Scales {
  width: number
  toX: Scale
  toY: Scale
  /** Values with a line across, and their words. */
  ticks: readonly (readonly [y: number, label: string])[]
}

export function scalesOf(curve: Curve, { range: [from, to] }: Axis, width: number): Scales {
  const ticks = ticksOf(curve)
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const labels = labelsOf(ticks)
  return {
    width,
    toX: x => LEFT + ((x - from) / (to - from || 1)) * (width - LEFT - RIGHT),
    toY: y => LANE + (1 - (y - low) / (high - low || 1)) * (FLOOR - LANE),
    ticks: ticks.map((tick, index) => [tick, labels[index]!]),
  }
}

function ticksOf({ series, floor, hasBand }: Curve): number[] {
  const values = series.flatMap(({ spots, isStepped }) =>
    spots.flatMap(({ y, yTo, low, high }) => [
      y,
      yTo ?? y,
      ...(hasBand || isStepped ? [low ?? y, high ?? y] : []),
    ]),
  )
  if (!values.length) return niceTicks(0, 1, 4)
  return niceTicks(floor ?? Math.min(...values), Math.max(...values), 4)
}

/**
 * A line through all spots; of steps one that goes on only where the next begins where the last ended. A step that ends with
 * another value leaves its own behind its spot.
 */
export function lineOf({ spots, isStepped }: Series, { toX, toY }: Pick<Scales, 'toX' | 'toY'>): string {
  if (!isStepped) return spots.map(({ x, y }, n) => `${n ? 'L' : 'M'}${toX(x)} ${toY(y)}`).join('')
  return spots
    .map(({ x, y, from = x, to = x, yTo = y }, n) => {
      const isNext = n > 0 && spots[n - 1]!.to === from
      const end = yTo === y ? `H${toX(to)}` : `H${toX(x)}L${toX(to)} ${toY(yTo)}`
      return `${isNext ? `V${toY(y)}` : `M${toX(from)} ${toY(y)}`}${end}`
    })
    .join('')
}

/** The area between what spots lie between. */
export function bandOf(spots: readonly Spot[], { toX, toY }: Pick<Scales, 'toX' | 'toY'>): string {
  const whole = spots.filter(({ low, high }) => low != null && high != null)
  if (whole.length < 2) return ''
  const there = whole.map(({ x, high }) => `${toX(x)} ${toY(high!)}`)
  const back = whole.toReversed().map(({ x, low }) => `${toX(x)} ${toY(low!)}`)
  return `M${[...there, ...back].join('L')}Z`
}

/** What the pointer and the arrow keys come to: a stop of the curve, or a mark. */
export type Place = { x: number } & (
  | { stop: Stop; mark?: undefined; left: number; right: number }
  | { mark: Mark; stop?: undefined }
)

/** All places from left to right, in pixels; each stop with the part of the picture that is nearest to it. */
export function placesOf(
  { stops }: Curve,
  axis: Axis,
  marks: readonly Mark[],
  { toX, width }: Scales,
): Place[] {
  const xs = stops.map(({ x }) => toX(x))
  return [
    ...stops.map((stop, nth) => ({
      x: xs[nth]!,
      stop,
      left: nth > 0 ? (xs[nth - 1]! + xs[nth]!) / 2 : LEFT,
      right: nth < xs.length - 1 ? (xs[nth]! + xs[nth + 1]!) / 2 : width - RIGHT,
    })),
    ...marksOn(axis, marks).map(({ x, mark }) => ({ x: toX(x), mark })),
  ].sort((a, b) => a.x - b.x)
}

/** Keys as the browser tells them. */
type Pressed = Record<'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey', boolean> & { key: string }

/** Which of `count` places a key leads to; null: none, and the browser has the key. */
export function placeOfKey(
  { key, altKey, ctrlKey, metaKey, shiftKey }: Pressed,
  at: number,
  count: number,
): number | null {
  if (altKey || ctrlKey || metaKey || shiftKey) return null
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: count - 1 }[key]
  return to !== undefined && to >= 0 && to < count ? to : null
}
