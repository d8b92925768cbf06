import { createElement } from 'react'
import { expect, test } from 'vitest'
import { Dashboard } from '@/features/insights/Dashboard'
import type { Figures } from '@/features/insights/queries'
import { rendered } from '../shared/rendered'

const figures: Figures = {
  by: 'round',
  time_zone: 'UTC',
  rounds: [
    { number: 1, since: '2026-03-01T00:00:00Z', until: null, stage: 'assisted', checkpoint: null, checkpoint_name: '' },
  ],
  points: [],
  quality: [],
  marks: [],
  acceptance: [],
  origins: [],
  people: [],
}

const shown = (failure: Error | null = null) =>
  rendered(
    createElement(Dashboard, { dataset: 'd', isAdmin: true, isReviewer: true }),
    [[['dataset', 'd', 'figures', 'round'], figures]],
    '/',
    failure,
  )

test('a dataset in which nothing was done yet says so four times', () => {
  const html = shown()
  expect(html.match(/Nobody has drawn a mask yet\./g)).toHaveLength(2)
  expect(html).toContain('No photo is finished yet.')
  expect(html).toContain('The gate has measured no model yet: retrain.')
})

test('curves that could not be asked for again stay, beside what went wrong', () => {
  const html = shown(new Error('The server cannot be reached.'))
  expect(html).toContain('The server cannot be reached.')
  expect(html).toContain('Seconds per mask')
})
