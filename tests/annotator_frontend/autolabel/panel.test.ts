import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { AutolabelPanel } from '@/features/autolabel/AutolabelPanel'
import type { AutolabelRun } from '@/features/autolabel/queries'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

test('the state of an earlier run is said in German', async () => {
  await speak('de')
  const states: AutolabelRun['state'][] = ['done', 'running', 'paused', 'done', 'cancelled']
  const runs = states.map((state, id) => ({
    ...{ id: String(id), state, masks: 1, failures: [], created_at: '2026-11-23T12:00:00Z' },
    ...{ counts: { waiting: 0, done: 1, failed: 0, skipped: 0 }, photos_per_minute: null, seconds_left: null },
  }))
  const html = rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: false }), [
    [['dataset', 'd', 'autolabel-runs'], runs],
  ])
  const said = [...html.matchAll(/>([^<>]*)<\/td><\/tr>/g)].map(([, state]) => state)
  expect(said).toEqual(['läuft', 'angehalten', 'fertig', 'abgebrochen'])
})
