import { expect, test } from 'vitest'
import { axisOf, marksOn, middleOf, niceTicks } from '@/features/insights/axis'
import { curvesOf } from '@/features/insights/curves'
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
    point({ round: 3, since: day(10), automatic_photos: 1, automatic_masks_per_photo: 7 }),
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

test('a choice that is not made is not in the address', () => {
  expect(gallery('d', {})).toBe('/datasets/d')
  expect(gallery('d', { origin: 'people', made_to: null })).toBe('/datasets/d?origin=people')
})
