import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { ReviewPanel } from '@/features/review/ReviewPanel'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

const queue = (waiting: number) => ({ waiting, skipped: 0 })

function said(waiting: number): string {
  const review = {
    ...{ stage: 'semi_automatic', jobs: ['verify'], detector: null },
    queues: { verify: queue(waiting), correct: queue(waiting), complete: queue(waiting) },
    proposals: { offered: 0, left_out: 0, preparing: 0, failed: 0, failures: [] },
  }
  const panel = createElement(ReviewPanel, { dataset: 'd', isAdmin: false, jobs: [] })
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
