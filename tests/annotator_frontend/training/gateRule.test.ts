import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { GateRuleForm } from '@/features/training/PolicyForm'
import type { GateRule } from '@/features/training/queries'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

test('every figure of the gate’s rule has a German name', async () => {
  await speak('de')
  const rule: GateRule = {
    ...{ images_wanted: 9, masks_wanted: 9, min_gain: 0, confidence: 0.9, max_loss: 0, max_more_clicks: 0 },
    ...{ max_more_gap: 0, max_loss_by_size: 0, size_masks_wanted: 9, only_brushed: false },
  }
  const html = rendered(createElement(GateRuleForm, { dataset: 'd' }), [[['dataset', 'd', 'gate-rule'], rule]])
  const labels = [...html.matchAll(/<label[^>]*>([^<]+)</g)].map(([, label]) => label)
  expect(labels).toEqual([
    'Verlangte Testfotos',
    'Verlangte Testmasken',
    'Mindestgewinn an mIoU',
    'Anteil der Stichproben',
    'Höchstverlust einer mIoU',
    'Höchstens mehr Klicks bis 90%',
    'Höchstens mehr Abstand zum Orakel',
    'Höchstverlust einer Größe',
    'Masken, um eine Größe zu beurteilen',
  ])
  expect(html).toContain('Nur nach gepinselten Masken urteilen')
})
