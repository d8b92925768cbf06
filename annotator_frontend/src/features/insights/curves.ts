import { dateTime, number, t } from '@/shared/i18n'
import { type Axis, middleOf } from './axis'
import { automaticIn, comparison, drawnIn, finishedIn } from './links'
import type { Figures, Point, Quality } from './queries'

/** A value at a place; `from` and `to` where it holds for a while, `yTo` where it is another one at the end. */
export interface Spot {
  x: number
  y: number
  from?: number
  to?: number
  yTo?: number
  low?: number | null
  high?: number | null
}

export interface Series {
  name: string
  /** One of the stylesheet's. */
  tone: 1 | 2 | 3
  spots: readonly Spot[]
  /** Beside what the chart is about. */
  isBeside?: boolean
  isStepped?: boolean
}

/** A name, its value, and where that leads if elsewhere than its stop. */
export type Fact = readonly [name: string, value: string, href?: string]

/** A place that the pointer or the arrow keys come to: what is known of it, and where it leads. */
export interface Stop {
  x: number
  title: string
  facts: readonly Fact[]
  href: string
}

/** One of the four. */
export interface Curve {
  title: string
  about: string
  /** What has to be known to read it. */
  note?: string
  /** What the scale begins with; otherwise what the values need. */
  floor?: number
  series: readonly Series[]
  /** Between the quartiles of the first series. */
  hasBand?: boolean
  stops: readonly Stop[]
  /** The value at the last stop, and at the first where that is another. */
  headline: Headline
  /** What a row of its table is of. */
  rowsAre: string
  /** What is missing, where there is no stop. */
  empty: string
}

interface Headline {
  newest?: { value: string; name: string; href: string }
  oldest?: string
  /** What the newest is better than, where what the curve began with is nothing to compare it with. */
  before?: string
}

const tenths = (value: number) => number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const thousandths = (value: number) => number(value, { minimumFractionDigits: 3, maximumFractionDigits: 3 })
const seconds = (value: number) => t('{{seconds}} s', { seconds: tenths(value) })

/** Of the first series: where it ends, and where it began. */
function headlineOf(
  series: readonly Series[],
  stops: readonly Stop[],
  say: (value: number) => string,
): Headline {
  const { spots } = series.find(({ spots }) => spots.length) ?? { spots: [] }
  const [first, last] = [spots[0], spots.at(-1)]
  const stop = stops.find(({ x }) => x === last?.x)
  if (!first || !last || !stop) return {}
  return {
    newest: { value: say(last.y), name: stop.title, href: stop.href },
    oldest: first === last ? undefined : say(first.y),
  }
}

/** The round, or the day, in words. */
export function nameOf({ round, since }: Pick<Point, 'round' | 'since'>): string {
  return round ? t('Round {{round}}', { round }) : dateTime(since, { dateStyle: 'medium' })
}

type Numbers = { [K in keyof Point]: Point[K] extends number | null ? K : never }[keyof Point]

function spotsOf(
  points: readonly Point[],
  axis: Axis,
  value: Numbers,
  [low, high]: readonly (Numbers | undefined)[] = [],
): Spot[] {
  return points.flatMap(point => {
    const y = point[value]
    if (y === null || y === undefined) return []
    return [{ x: middleOf(axis, point), y, low: low && point[low], high: high && point[high] }]
  })
}

function between(low: number | null, high: number | null, say: (value: number) => string): string {
  return low === null || high === null ? '–' : t('{{low}} to {{high}}', { low: say(low), high: say(high) })
}

/** Seconds, clicks, masks per photo, quality. */
export function curvesOf(dataset: string, figures: Figures, axis: Axis): Curve[] {
  const rowsAre = figures.by === 'round' ? t('Round') : t('Day')
  return [
    {
      ...effort(dataset, figures.points, axis, 'seconds', 'median'),
      title: t('Seconds per mask'),
      about: t(
        'A person’s time for each mask that people drew, with that on masks which it replaced; idle time is taken out.',
      ),
      rowsAre,
    },
    {
      ...effort(dataset, figures.points, axis, 'clicks', 'mean'),
      title: t('Clicks per mask'),
      about: t(
        'Clicks, boxes and strokes for each mask that people drew, with those on masks which it replaced.',
      ),
      rowsAre,
    },
    { ...perPhoto(dataset, figures.points, axis), rowsAre },
    quality(dataset, figures.quality, axis),
  ]
}

const SAID = { seconds, clicks: tenths } as const

/** @param first which of the two is drawn strong: of few clicks the median knows too few values. */
function effort(
  dataset: string,
  points: readonly Point[],
  axis: Axis,
  of: 'seconds' | 'clicks',
  first: 'median' | 'mean',
): Omit<Curve, 'title' | 'about' | 'rowsAre'> {
  const say = SAID[of]
  const names = { median: t('Median'), mean: t('Mean') }
  const second = first === 'median' ? 'mean' : 'median'
  const series: Series[] = [
    {
      name: names[first],
      tone: 1,
      spots: spotsOf(points, axis, `${of}_${first}`, [`${of}_low`, `${of}_high`]),
    },
    { name: names[second], tone: 1, isBeside: true, spots: spotsOf(points, axis, `${of}_${second}`) },
  ]
  const stops = points
    .filter(({ masks }) => masks)
    .map(point => ({
      x: middleOf(axis, point),
      title: nameOf(point),
      facts: [
        [names.median, say(point[`${of}_median`]!)],
        [names.mean, say(point[`${of}_mean`]!)],
        [t('Middle half'), between(point[`${of}_low`], point[`${of}_high`], say)],
        [t('Masks'), number(point.masks)],
      ] as const,
      href: drawnIn(dataset, point),
    }))
  return {
    floor: 0,
    series,
    hasBand: true,
    stops,
    headline: headlineOf(series, stops, say),
    empty: t('Nobody has drawn a mask yet.'),
  }
}

function perPhoto(dataset: string, points: readonly Point[], axis: Axis): Omit<Curve, 'rowsAre'> {
  const series: Series[] = [
    { name: t('Photos finished by people'), tone: 1, spots: spotsOf(points, axis, 'masks_per_photo') },
    { name: t('Automatic runs'), tone: 2, spots: spotsOf(points, axis, 'automatic_masks_per_photo') },
  ]
  const stops = points
    .filter(({ photos, automatic_photos }) => photos || automatic_photos)
    .map((point): Stop => {
      const byPeople: Fact[] = [
        [t('Masks per photo'), tenths(point.masks_per_photo ?? 0)],
        [t('By people'), tenths(point.masks_per_photo_by_people ?? 0)],
        [t('Photos finished by people'), number(point.photos)],
      ]
      const elsewhere = automaticIn(dataset, point)
      // A run may find nothing on a photo, and what it found may be corrected since: the gallery lists fewer.
      const automatic: Fact[] = [
        [t('Masks per photo, automatic'), tenths(point.automatic_masks_per_photo ?? 0)],
        [t('Photos of automatic runs'), number(point.automatic_photos)],
        [t('Photos with automatic masks'), number(point.photos_with_automatic_masks), elsewhere],
      ]
      return {
        x: middleOf(axis, point),
        title: nameOf(point),
        facts: [...(point.photos ? byPeople : []), ...(point.automatic_photos ? automatic : [])],
        href: point.photos ? finishedIn(dataset, point) : elsewhere,
      }
    })
  return {
    title: t('Masks per photo'),
    about: t(
      'Masks that count on the photos which people first finished then, and what automatic runs made.',
    ),
    floor: 0,
    series,
    stops,
    headline: headlineOf(series, stops, tenths),
    empty: t('No photo is finished yet.'),
  }
}

const CLICKS = ['1', '3', '5'] as const

function clicksInWords(clicks: (typeof CLICKS)[number]): string {
  return { 1: t('After 1 click'), 3: t('After 3 clicks'), 5: t('After 5 clicks') }[clicks]
}

function quality(dataset: string, rows: readonly Quality[], axis: Axis): Curve {
  const test = rows
    .filter(({ split }) => split === 'test')
    .filter(row => !row.until || axis.at(row.until) > axis.range[0])
  const holdout = new Map(
    rows.filter(({ split }) => split === 'holdout').map(row => [`${row.checkpoint} ${row.since}`, row]),
  )
  const series = CLICKS.map(
    (clicks, index): Series => ({
      name: { 1: t('1 click'), 3: t('3 clicks'), 5: t('5 clicks') }[clicks],
      tone: ([3, 2, 1] as const)[index]!,
      isStepped: true,
      spots: test.flatMap((row, nth) => {
        const y = row[`miou_${clicks}`]
        if (y === null) return []
        const next = test[nth + 1]
        const yTo = (next?.since === row.until ? next?.[`miou_${clicks}_before`] : null) ?? y
        const from = Math.max(axis.at(row.since), axis.range[0])
        const to = row.until ? Math.min(axis.at(row.until), axis.range[1]) : axis.range[1]
        const [low, high] = [row[`miou_${clicks}_low`], row[`miou_${clicks}_high`]]
        return [{ x: (from + to) / 2, y, from, to, yTo, low, high }]
      }),
    }),
  )
  const stops = test.map((row, index): Stop => {
    const kept = holdout.get(`${row.checkpoint} ${row.since}`)
    return {
      x: middleOf(axis, row),
      title: row.checkpoint_name,
      facts: [
        ...CLICKS.map(clicks => [clicksInWords(clicks), miouInWords(row, clicks)] as const),
        ...CLICKS.filter(clicks => row[`miou_${clicks}_before`] != null).map(
          clicks =>
            [
              t('{{clicks}}, the model before', { clicks: clicksInWords(clicks) }),
              beforeInWords(row, clicks),
            ] as const,
        ),
        [t('Clicks to 90% IoU'), row.noc90 === null ? '–' : tenths(row.noc90)],
        ...(kept ? [[t('Holdout, after 1 click'), miouInWords(kept, '1')] as const] : []),
        [t('Test masks'), number(row.objects)],
      ],
      href: comparison(dataset, test[index - 1]?.checkpoint, row.checkpoint),
    }
  })
  // Where the curve began other photos were asked: what the newest can be compared with is the model before it.
  const { newest } = headlineOf(series, stops, thousandths)
  const before = test.at(-1)?.miou_1_before
  return {
    title: t('Quality on the test photos'),
    about: t('Mean IoU of the live model on human masks that it never learns from, with 95% intervals.'),
    note: t(
      'A step is what both models had on the same photos; in between the photos change, and with them the line.',
    ),
    series,
    stops,
    headline: { newest, before: before == null ? undefined : thousandths(before) },
    rowsAre: t('Model'),
    empty: t('The gate has measured no model yet: retrain.'),
  }
}

function miouInWords(row: Quality, clicks: (typeof CLICKS)[number]): string {
  const [value, low, high] = [row[`miou_${clicks}`], row[`miou_${clicks}_low`], row[`miou_${clicks}_high`]]
  if (value === null) return '–'
  if (low === null || high === null) return thousandths(value)
  return `${thousandths(value)} [${thousandths(low)}, ${thousandths(high)}]`
}

/** What the model before it had on the same photos, and the interval of the difference. */
function beforeInWords(row: Quality, clicks: (typeof CLICKS)[number]): string {
  const [low, high] = [row[`miou_${clicks}_gain_low`], row[`miou_${clicks}_gain_high`]]
  const value = thousandths(row[`miou_${clicks}_before`]!)
  if (low == null || high == null) return value
  return t('{{value}}, changed by {{low}} to {{high}}', {
    value,
    low: thousandths(low),
    high: thousandths(high),
  })
}
