import { MantineProvider } from '@mantine/core'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { MemoryRouter } from 'react-router'
import { expect, test } from 'vitest'
import { Acceptance } from '@/features/insights/Shares'

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
  expect(shown(false)).not.toContain('href')
  expect(shown(false)).toContain('title="Accepted: 7"')
  expect(shown(false).replace(/<[^>]*>/g, ' ')).toMatch(/Accepted\s+7\s/)
})
