import type { By, Figures, Mark } from './queries'

/** The common x of all charts. */
export interface Axis {
  /** From, to. */
  range: readonly [number, number]
  at: (time: string) => number
  ticks: readonly number[]
  /** The round's number, or the day's first moment, of a tick. */
  by: By
}

const DAY_MS = 86_400_000
const DAYS_BETWEEN = [1, 2, 7, 14, 28, 56, 91, 182, 364]
/** Round numbers that steps are made of. */
const STEPS = [1, 2, 2.5, 5, 10]

/** About so many round values that span `low` to `high`, ends included. */
export function niceTicks(low: number, high: number, wanted: number): number[] {
  const span = high - low || Math.abs(high) || 1
  const rough = span / Math.max(1, wanted)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = STEPS.map(one => one * power).find(one => one >= rough * 0.999) ?? 10 * power
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)]
  return Array.from({ length: Math.max(1, last - first) + 1 }, (_, n) =>
    Number(((first + n) * step).toPrecision(12)),
  )
}

/**
 * Rounds are of equal width, whatever time they took, each around its number; what happened in one lies as far in it as it was
 * in time. Days are as long as they are.
 */
export function axisOf({ by, rounds, points }: Figures, now: number): Axis {
  return by === 'round' ? roundAxis(rounds, now) : dayAxis(points)
}

function roundAxis(rounds: Figures['rounds'], now: number): Axis {
  const begins = rounds.map(({ since }) => Date.parse(since))
  const at = (time: string) => {
    const moment = Date.parse(time)
    const index = Math.max(
      0,
      begins.findLastIndex(begin => begin <= moment),
    )
    const begin = begins[index]!
    const end = begins[index + 1] ?? Math.max(now, moment)
    const share = Math.min(1, Math.max(0, (moment - begin) / (end - begin || 1)))
    return index + 0.5 + share
  }
  const every = Math.ceil(rounds.length / 12)
  const ticks = rounds.map(({ number }) => number).filter(number => (number - 1) % every === 0)
  return { range: [0.5, rounds.length + 0.5], at, ticks, by: 'round' }
}

function dayAxis(points: Figures['points']): Axis {
  const first = Date.parse(points[0]?.since ?? '') || 0
  const last = Date.parse(points.at(-1)?.until ?? '') || first + DAY_MS
  const days = Math.round((last - first) / DAY_MS)
  const every = DAYS_BETWEEN.find(many => days / many <= 8) ?? 364
  const ticks = Array.from({ length: Math.ceil(days / every) }, (_, n) => first + n * every * DAY_MS)
  return { range: [first, last], at: time => Date.parse(time), ticks, by: 'day' }
}

/** Where a row of figures stands: in the middle of its time. */
export function middleOf(
  axis: Axis,
  row: { round?: number | null; since: string; until: string | null },
): number {
  if (row.round) return row.round
  const from = Math.max(axis.at(row.since), axis.range[0])
  const to = row.until ? Math.min(axis.at(row.until), axis.range[1]) : axis.range[1]
  return (from + to) / 2
}

/** What is drawn as a line across: all that happened after the beginning, and with it the first model. */
export function marksOn(axis: Axis, marks: readonly Mark[]): { x: number; mark: Mark }[] {
  const [from, to] = axis.range
  return marks
    .filter(({ kind, before }) => kind !== 'deployed' || before)
    .map(mark => ({ x: axis.at(mark.at), mark }))
    .filter(({ x }) => x > from && x <= to)
}
