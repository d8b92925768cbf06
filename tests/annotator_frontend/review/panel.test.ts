import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { ReviewPanel } from '@/features/review/ReviewPanel'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

const queue = (waiting: number) => ({ waiting, skipped: 0 })

function said(waiting: number, more: object = {}, isAdmin = false): string {
  const review = {
    ...{ stage: 'semi_automatic', jobs: ['verify'], detector: null },
    queues: { verify: queue(waiting), correct: queue(waiting), complete: queue(waiting) },
    proposals: { offered: 0, left_out: 0, preparing: 0, failed: 0, failures: [] },
    ...more,
  }
  const panel = createElement(ReviewPanel, { dataset: 'd', isAdmin, jobs: [] })
  const html = rendered(panel, [[['dataset', 'd', 'review'], review]])
  return html.replace(/<style.*?<\/style>/gs, '').replace(/<[^>]+>/g, '')
}

test('one mask waits, and two masks wait', async () => {
  for (const words of ['1 mask waits for a verdict', '1 photo has faulty masks', '1 photo is to be finished'])
    expect(said(1)).toContain(words)
  for (const words of ['2 masks wait for a verdict', '2 photos have faulty masks', '2 photos are to be finished'])
    expect(said(2)).toContain(words)
  await speak('de')
  for (const words of ['1 Maske wartet auf ein Urteil', '1 Foto hat fehlerhafte Masken', '1 Foto ist fertigzustellen'])
    expect(said(1)).toContain(words)
})

test('each queue of the stage is shown, and one that another stage left over while something waits in it', () => {
  const panel = (verify: number) => {
    const queues = { verify: queue(verify), correct: queue(3), complete: queue(0) }
    const proposals = { offered: 0, left_out: 0, preparing: 0, failed: 0, failures: [] }
    const review = { stage: 'assisted', jobs: ['annotate', 'correct'], detector: null, queues, proposals }
    return rendered(createElement(ReviewPanel, { dataset: 'd', isAdmin: false, jobs: ['annotate', 'correct'] }), [
      [['dataset', 'd', 'review'], review],
    ])
  }
  expect(panel(0)).toContain('photos have faulty masks')
  expect(panel(0)).toContain('href="/datasets/d/label?job=correct"')
  expect(panel(0)).not.toContain('wait for a verdict')
  expect(panel(0)).not.toContain('are to be finished')
  expect(panel(2)).toContain('masks wait for a verdict')
  expect(panel(2)).not.toContain('href="/datasets/d/verify"')
  expect(panel(2)).toContain('In the assisted stage')
})

test('an admin sees how many second opinions were wanted, obtained and missed; others see nothing of them', async () => {
  const asked = { second_opinions: { wanted: 10, obtained: 4, waiting: 5 } }
  const line =
    '4 of 10 second opinions obtained · 5 still awaited · 1 missed, because the photo was completed or the mask settled before'
  expect(said(1, asked, true)).toContain(line)
  expect(said(1, asked)).not.toContain('second opinions')
  expect(said(1, { second_opinions: { wanted: 0, obtained: 0, waiting: 0 } }, true)).not.toContain('second opinions')
  await speak('de')
  expect(said(1, asked, true)).toContain('4 von 10 zweiten Meinungen eingeholt · 5 noch ausstehend · 1 entgangen')
})
