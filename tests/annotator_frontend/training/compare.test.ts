import { createElement } from 'react'
import { expect, test } from 'vitest'
import { ComparePage } from '@/features/training/ComparePage'
import { rendered } from '../shared/rendered'

const NOW = '2026-03-11T00:00:00Z'
const served = (checkpoint: string, until: string | null) => ({ checkpoint, role: 'live', since: NOW, until })
const checkpoints = [
  { id: 'first', name: 'First', is_before: true, deployments: [served('first', '2026-03-12T00:00:00Z')] },
  { id: 'second', name: 'Second', deployments: [served('second', null)] },
  { id: 'third', name: 'Third', deployments: [] },
]
const side = (id: string, is_live = false) => ({ id, name: id, is_live, run: null, created_at: NOW, went_on_from: null })
const nothing = { figures: [], photos: 0, left_out: 0 }

/** The page at an address, where the figures are still of the first and the second. */
function shown(query: string, failure: Error | null = null): string {
  const chosen = new URLSearchParams(query)
  const own = { left: chosen.get('left') ?? undefined, right: chosen.get('right') ?? undefined }
  const answer = { left: side('first'), right: side('second', true), test: nothing, holdout: nothing }
  return rendered(
    createElement(ComparePage, { dataset: 'd', isAdmin: true }),
    [
      [['dataset', 'd', 'checkpoints'], checkpoints],
      [['dataset', 'd', 'checkpoints', 'compared', own], answer],
    ],
    `/?${query}`,
    failure,
  )
}

const selected = (html: string) => [...html.matchAll(/<option value="(\w+)" selected/g)].map(([, id]) => id)
const button = (html: string) => html.match(/<button[^>]*>/)![0]

test('the two that were compared are chosen, and what served before can be gone back to', () => {
  const html = shown('')
  expect(selected(html)).toEqual(['first', 'second'])
  expect(html).toContain('Roll back to this')
  expect(button(html)).not.toContain('disabled')
})

test('a choice holds while its figures are on their way, and nothing goes live by figures of another one', () => {
  const html = shown('left=third')
  expect(selected(html)).toEqual(['third', 'second'])
  expect(button(html)).toContain('disabled')
})

test('figures that could not be asked for again stay, beside what went wrong', () => {
  const html = shown('', new Error('The server cannot be reached.'))
  expect(html).toContain('The server cannot be reached.')
  expect(selected(html)).toEqual(['first', 'second'])
})
