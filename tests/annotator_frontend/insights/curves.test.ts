import { afterEach, describe, expect, test, vi } from 'vitest'
import { axisOf, labelsOf, marksOn, middleOf, niceTicks } from '@/features/insights/axis'
import { type Curve, curvesOf } from '@/features/insights/curves'
import { lineOf, placeOfKey, placesOf, scalesOf } from '@/features/insights/drawing'
import { comparison, gallery } from '@/features/insights/links'
import type { Figures, Mark, Point, Quality } from '@/features/insights/queries'

const NOW = Date.parse('2026-03-11T00:00:00Z')
const day = (number: number, hour = 0) =>
  `2026-03-${String(number).padStart(2, '0')}T${String(hour).padStart(2, '0')}:00:00Z`

const round = (number: number, since: string, until: string | null) =>
  ({ number, since, until, stage: 'assisted', checkpoint: null, checkpoint_name: '' }) as Figures['rounds'][number]

const point = (given: Partial<Point>) =>
  ({
    round: null,
    since: day(1),
    until: null,
    masks: 0,
    photos: 0,
    automatic_photos: 0,
    photos_with_automatic_masks: 0,
    seconds_mean: null,
    seconds_median: null,
    seconds_low: null,
    seconds_high: null,
    clicks_mean: null,
    clicks_median: null,
    clicks_low: null,
    clicks_high: null,
    masks_per_photo: null,
    masks_per_photo_by_people: null,
    automatic_masks_per_photo: null,
    ...given,
  }) as Point

const worked = { masks: 4, seconds_mean: 40, seconds_median: 25, seconds_low: 17.5, seconds_high: 47.5 }
const clicked = { clicks_mean: 3, clicks_median: 2.5, clicks_low: 1.75, clicks_high: 3.75 }

const life: Figures = {
  by: 'round',
  time_zone: 'UTC',
  rounds: [round(1, day(1), day(5)), round(2, day(5), day(10)), round(3, day(10), null)],
  points: [
    point({ round: 1, since: day(1), until: day(5), ...worked, ...clicked, photos: 2, masks_per_photo: 2.5 }),
    point({ round: 2, since: day(5), until: day(10), ...worked, ...clicked, seconds_median: 6 }),
    point({ round: 3, since: day(10), automatic_photos: 4, automatic_masks_per_photo: 7, photos_with_automatic_masks: 3 }),
  ],
  quality: [],
  marks: [],
  acceptance: [],
  origins: [],
  people: [],
}

test('ticks are round numbers that span the values', () => {
  expect(niceTicks(0, 47.5, 4)).toEqual([0, 20, 40, 60])
  expect(niceTicks(0.42, 0.71, 4)).toEqual([0.4, 0.5, 0.6, 0.7, 0.8])
  expect(niceTicks(0, 0, 4)[0]).toBe(0)
  expect(niceTicks(0, 7, 4)).toEqual([0, 2, 4, 6, 8])
})

test('rounds are as wide as each other, and what happened in one lies as far in it as in time', () => {
  const axis = axisOf(life, NOW)
  expect(axis.range).toEqual([0.5, 3.5])
  expect(axis.ticks).toEqual([1, 2, 3])
  expect(axis.at(day(1))).toBe(0.5)
  expect(axis.at(day(3))).toBe(1)
  expect(axis.at(day(5))).toBe(1.5)
  expect(axis.at(day(10, 12))).toBe(3)
  expect(axis.at(day(20))).toBe(3.5)
  expect(middleOf(axis, { since: day(5), until: null })).toBe(2.5)
})

test('many rounds, and many days, have few ticks', () => {
  const rounds = Array.from({ length: 50 }, (_, n) => round(n + 1, day(1, 0), null))
  expect(axisOf({ ...life, rounds }, NOW).ticks.length).toBeLessThanOrEqual(12)
  const points = [point({ since: day(1), until: day(2) }), point({ since: day(30), until: day(31) })]
  const axis = axisOf({ ...life, by: 'day', points }, NOW)
  expect(axis.ticks).toEqual([1, 8, 15, 22, 29].map(number => Date.parse(day(number))))
})

test('ticks have the decimals that tell them apart', () => {
  expect(labelsOf(niceTicks(0.61, 0.7, 4))).toEqual(['0.600', '0.625', '0.650', '0.675', '0.700'])
  expect(labelsOf(niceTicks(0, 47.5, 4))).toEqual(['0', '20', '40', '60'])
  expect(labelsOf([0, 0.5, 1])).toEqual(['0.0', '0.5', '1.0'])
})

describe('by day', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('the picture goes from the first of which anything is known until now', () => {
    vi.stubEnv('TZ', 'UTC')
    const points = [point({ since: day(5), until: day(6) })]
    const quality = [{ split: 'test', since: day(3, 7), until: null, miou_1: 0.5 } as Quality]
    const marks = [
      { at: day(1, 1), kind: 'deployed', before: null }, // what the dataset began with
      { at: day(2, 9), kind: 'stage', before: null },
      { at: day(9, 3), kind: 'promoted', before: 'a' },
    ] as Mark[]
    const by = { ...life, by: 'day', rounds: [], points, quality, marks } as Figures
    const now = Date.parse(day(11, 12))
    const axis = axisOf(by, now)
    expect(axis.range).toEqual([Date.parse(day(2)), now])
    expect(marksOn(axis, marks).map(({ mark: { kind } }) => kind)).toEqual(['stage', 'promoted'])
    // The model's line reaches until now, though nobody has worked since the fifth.
    const [spot] = curvesOf('d', by, axis)[3]!.series[0]!.spots
    expect([spot!.from, spot!.to]).toEqual([Date.parse(day(3, 7)), now])
    // What is done today is in the day's part that is over.
    expect(middleOf(axis, { since: day(11), until: day(12) })).toBe(Date.parse(day(11, 6)))
    const nothing = axisOf({ ...by, points: [], quality: [], marks: [] }, now)
    expect(nothing.range).toEqual([Date.parse(day(11)), now])
  })

  test('days begin at midnight, after the clocks have changed, too', () => {
    vi.stubEnv('TZ', 'Europe/Berlin')
    const points = [point({ since: '2026-03-26T23:00:00Z', until: '2026-03-27T23:00:00Z' })]
    const axis = axisOf({ ...life, by: 'day', points }, Date.parse('2026-04-01T10:00:00Z'))
    const ticks = axis.ticks.map(tick => new Date(tick))
    expect(ticks.map(tick => tick.getDate())).toEqual([27, 28, 29, 30, 31, 1])
    expect(ticks.map(tick => tick.getHours())).toEqual([0, 0, 0, 0, 0, 0])
  })
})

test('what happened before the picture begins is not on it', () => {
  const mark = (at: string) => ({ at, kind: 'refused' }) as Mark
  const axis = axisOf(life, NOW)
  const first = { at: day(2), kind: 'deployed', before: null } as Mark
  expect(marksOn(axis, [mark(day(1)), first, mark(day(3))]).map(({ x }) => x)).toEqual([1])
})

test('each point says what it is of, and leads to the masks behind it', () => {
  const [seconds, clicks, perPhoto] = curvesOf('d', life, axisOf(life, NOW))
  expect(seconds!.stops.map(({ title }) => title)).toEqual(['Round 1', 'Round 2'])
  expect(seconds!.stops[0]!.facts).toEqual([
    ['Median', '25.0 s'],
    ['Mean', '40.0 s'],
    ['Middle half', '17.5 s to 47.5 s'],
    ['Masks', '4'],
  ])
  expect(seconds!.stops[1]!.href).toBe(
    '/datasets/d?origin=drawn&made_from=2026-03-05T00%3A00%3A00Z&made_to=2026-03-10T00%3A00%3A00Z',
  )
  expect([seconds!.headline.newest!.value, seconds!.headline.oldest]).toEqual(['6.0 s', '25.0 s'])
  expect(clicks!.series[0]!.spots.map(({ y }) => y)).toEqual([3, 3])
  // A round in which only automatic runs made masks leads to theirs.
  expect(perPhoto!.stops.map(({ href }) => href.includes('origin=automatic'))).toEqual([false, true])
  expect(perPhoto!.series.map(({ spots }) => spots.length)).toEqual([1, 1])
  // Only the number that the gallery lists leads there.
  expect(perPhoto!.stops[1]!.facts).toEqual([
    ['Masks per photo, automatic', '7.0'],
    ['Photos of automatic runs', '4'],
    ['Photos with automatic masks', '3', perPhoto!.stops[1]!.href],
  ])
})

test('quality holds from the day on which a model went live until the next did', () => {
  const measured = (since: string, until: string | null, miou: number, split: Quality['split'] = 'test') =>
    ({
      since,
      until,
      split,
      checkpoint: since,
      checkpoint_name: since,
      objects: 9,
      noc90: 6.5,
      miou_1: miou,
      miou_1_low: miou - 0.1,
      miou_1_high: miou + 0.1,
      miou_3: miou,
      miou_5: miou,
    }) as Quality
  const quality = [
    measured(day(1), day(5), 0.5),
    measured(day(5), null, 0.6),
    measured(day(5), null, 0.55, 'holdout'),
  ]
  const curve = curvesOf('d', { ...life, quality }, axisOf(life, NOW))[3]!
  expect(curve.series[0]!.spots.map(({ from, to, y }) => [from, to, y])).toEqual([
    [0.5, 1.5, 0.5],
    [1.5, 3.5, 0.6],
  ])
  expect(curve.stops.map(({ href }) => href)).toEqual([
    comparison('d', null, day(1)),
    comparison('d', day(1), day(5)),
  ])
  expect(curve.stops[1]!.facts).toContainEqual(['Holdout, after 1 click', '0.550 [0.450, 0.650]'])
})

test('a promotion is a step between figures of the same photos, though others were measured before', () => {
  const row = (since: string, until: string | null, miou: number, before: number | null) =>
    ({
      since,
      until,
      split: 'test',
      checkpoint: since,
      checkpoint_name: since,
      objects: 9,
      noc90: 6.5,
      ...Object.fromEntries(
        ['1', '3', '5'].flatMap(clicks => [
          [`miou_${clicks}`, miou],
          [`miou_${clicks}_before`, before],
          [`miou_${clicks}_gain_low`, before && 0.01],
          [`miou_${clicks}_gain_high`, before && 0.09],
        ]),
      ),
    }) as unknown as Quality
  // The first was 0.7 on few photos, and 0.55 on those on which the second was 0.6.
  const quality = [row(day(1), day(5), 0.7, null), row(day(5), null, 0.6, 0.55)]
  const curve = curvesOf('d', { ...life, quality }, axisOf(life, NOW))[3]!
  expect(curve.series[0]!.spots.map(({ y, yTo }) => [y, yTo])).toEqual([
    [0.7, 0.55],
    [0.6, 0.6],
  ])
  expect(lineOf(curve.series[0]!, { toX: x => x, toY: y => y })).toBe('M0.5 0.7H1L1.5 0.55V0.6H3.5')
  expect(curve.headline).toMatchObject({ newest: { value: '0.600' }, before: '0.550' })
  expect(curve.stops[1]!.facts).toContainEqual(['After 1 click, the model before', '0.550, changed by 0.010 to 0.090'])
})

test('a choice that is not made is not in the address', () => {
  expect(gallery('d', {})).toBe('/datasets/d')
  expect(gallery('d', { origin: 'people', made_to: null })).toBe('/datasets/d?origin=people')
})

describe('the drawing', () => {
  const curve = {
    series: [],
    stops: [1, 2, 3].map(x => ({ x, title: `Round ${x}`, facts: [], href: '' })),
  } as unknown as Curve
  const axis = axisOf(life, NOW)

  test('a model that was not measured leaves a gap in the line of those that were', () => {
    const spot = (from: number, to: number, y: number) => ({ x: (from + to) / 2, y, from, to })
    const own = { name: '', tone: 1 as const, isStepped: true, spots: [spot(0, 1, 5), spot(1, 2, 6), spot(3, 4, 7)] }
    const same = (value: number) => value
    expect(lineOf(own, { toX: same, toY: same })).toBe('M0 5H1V6H2M3 7H4')
    expect(lineOf({ ...own, isStepped: false }, { toX: same, toY: same })).toBe('M0.5 5L1.5 6L3.5 7')
  })

  test('the pointer comes to the stop that is nearest, and to each mark', () => {
    const scales = scalesOf(curve, axis, 354) // 100 pixels for each round
    const marks = [{ at: day(3), kind: 'refused' } as Mark]
    const places = placesOf(curve, axis, marks, scales)
    expect(places.map(({ x, mark }) => [Math.round(x), mark?.kind])).toEqual([
      [90, undefined],
      [90, 'refused'],
      [190, undefined],
      [290, undefined],
    ])
    const parts = places.flatMap(place => (place.stop ? [[place.left, place.right].map(Math.round)] : []))
    expect(parts).toEqual([
      [40, 140],
      [140, 240],
      [240, 340],
    ])
  })

  test('arrow keys go from place to place; with another key held they are the browser’s', () => {
    const none = { altKey: false, ctrlKey: false, metaKey: false, shiftKey: false }
    const press = (key: string, held: object = {}) => placeOfKey({ ...none, key, ...held }, 1, 3)
    expect(['ArrowLeft', 'ArrowRight', 'Home', 'End', 'ArrowUp'].map(key => press(key))).toEqual([0, 2, 0, 2, null])
    for (const held of ['altKey', 'ctrlKey', 'metaKey', 'shiftKey'])
      expect(press('ArrowLeft', { [held]: true })).toBeNull()
    expect(placeOfKey({ ...none, key: 'ArrowRight' }, 2, 3)).toBeNull()
  })
})
