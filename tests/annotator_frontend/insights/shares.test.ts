import { MantineProvider } from '@mantine/core'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { MemoryRouter } from 'react-router'
import { expect, test } from 'vitest'
import { Acceptance, Work } from '@/features/insights/Shares'

const ROW = {
  stage: 'semi_automatic',
  since: '2026-03-10T00:00:00Z',
  until: null,
  accept: 7,
  fix: 1,
  not_an_object: 1,
  unsure: 1,
  rate: 7 / 9,
  rate_low: 0.5,
  rate_high: 0.9,
  seconds_median: 2,
} as const

function shown(isReviewer: boolean) {
  const acceptance = createElement(Acceptance, { dataset: 'd', rows: [ROW], isReviewer })
  return renderToStaticMarkup(
    createElement(MantineProvider, null, createElement(MemoryRouter, null, acceptance)),
  )
}

test('what people said of proposals leads reviewers to the photos and gives annotators the numbers alone', () => {
  expect(shown(true)).toContain('href="/datasets/d?verdict=accept')
  expect(shown(true)).toMatch(/<a[^>]*href="\/datasets\/d\?verdict=accept[^>]*>78% /) // the rate itself
  expect(shown(false)).not.toContain('href')
  expect(shown(false)).toContain('title="Accepted: 7"')
  expect(shown(false).replace(/<[^>]*>/g, ' ')).toMatch(/Accepted\s+7\s/)
})

test('photos and verdicts of a person lead to the photos, verdicts for admins alone', () => {
  const row = { user: 'ada', username: 'Ada', masks: 1, seconds: 9, seconds_median: 9, clicks_mean: 2, photos: 5, verdicts: 6 }
  const work = (isAdmin: boolean) => {
    const table = createElement(Work, { dataset: 'd', rows: [row], isAdmin })
    return renderToStaticMarkup(createElement(MantineProvider, null, createElement(MemoryRouter, null, table)))
  }
  expect(work(true)).toContain('href="/datasets/d?submitted_by=ada"')
  expect(work(true)).toContain('href="/datasets/d?judged_by=ada"')
  expect(work(false)).toContain('href="/datasets/d?submitted_by=ada"')
  expect(work(false)).not.toContain('judged_by')
})
