import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { AuditPanel } from '@/features/audit/AuditPanel'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

test('the parts of the audit are named in German, and a model as it is called', async () => {
  await speak('de')
  const parts = [
    ['stage', 'semi_automatic'],
    ['checkpoint', 'large_model'],
    ['size', 'small'],
    ['size', 'large'],
  ].map(([part, value]) => ({ part, value, pairs: 1, levels: [] }))
  const report = { waiting: 0, warnings: [], all: { pairs: 4, levels: [] }, by: parts }
  const html = rendered(createElement(AuditPanel, { dataset: 'd', isAdmin: false, audits: false }), [
    [['dataset', 'd', 'audit'], { plan: {}, report }],
  ])
  const rows = [...html.matchAll(/<tr[^>]*><td[^>]*>([^<]*)</g)].map(([, name]) => name)
  expect(rows).toEqual(['Alle', 'Stufe: Halbautomatisch', 'Modell: large_model', 'Größe: Klein', 'Größe: Groß'])
})
