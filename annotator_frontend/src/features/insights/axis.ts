import { number } from '@/shared/i18n'
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

/** Ticks in words: all with the decimals that tell them apart. */
export function labelsOf(ticks: readonly number[]): string[] {
  const decimals = Math.max(0, ...ticks.map(tick => String(tick).split('.')[1]?.length ?? 0))
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  return ticks.map(tick => number(tick, options))
}

/**
 * Rounds are of equal width, whatever time they took, each around its number; what happened in one lies as far in it as it was
 * in time. Days are as long as they are, from the first of which anything is known until now.
 */
export function axisOf(figures: Figures, now: number): Axis {
  return figures.by === 'round' ? roundAxis(figures.rounds, now) : dayAxis(figures, now)
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

function dayAxis({ points, quality, marks }: Figures, now: number): Axis {
  const known = [
    ...[...points, ...quality].map(({ since }) => since),
    ...marks.filter(isChange).map(({ at }) => at),
  ].map(time => Date.parse(time))
  const first = new Date(Math.min(now, ...known))
  first.setHours(0, 0, 0, 0)
  const begin = first.getTime()
  // The server's clock may be ahead of this one.
  const end = Math.max(now, ...known)
  const every = DAYS_BETWEEN.find(many => (end - begin) / DAY_MS / many <= 8) ?? 364
  const ticks: number[] = []
  // Not by 24 hours: clocks change.
  for (let day = first; day.getTime() < end; day.setDate(day.getDate() + every)) ticks.push(day.getTime())
  return { range: [begin, end], at: time => Date.parse(time), ticks, by: 'day' }
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

/** Whether anything is another than before: the model that a dataset begins with is no change. */
export function isChange({ kind, before }: Mark): boolean {
  return kind !== 'deployed' || Boolean(before)
}

/** What is drawn as a line across: all that happened after the beginning. */
export function marksOn(axis: Axis, marks: readonly Mark[]): { x: number; mark: Mark }[] {
  const [from, to] = axis.range
  return marks
    .filter(isChange)
    .map(mark => ({ x: axis.at(mark.at), mark }))
    .filter(({ x }) => x > from && x <= to)
}
