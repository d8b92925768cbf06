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

test('a warning is said in German', async () => {
  await speak('de')
  const warning = "40% of the live model's audited masks are above 0.90 IoU; 80% are wanted."
  const report = { waiting: 0, warnings: [warning], all: { pairs: 0, levels: [] }, by: [] }
  const html = rendered(createElement(AuditPanel, { dataset: 'd', isAdmin: false, audits: false }), [
    [['dataset', 'd', 'audit'], { plan: {}, report }],
  ])
  expect(html).toContain('40% der geprüften Masken des eingesetzten Modells liegen über 0,90 IoU; gewünscht sind 80%.')
})

test('whoever sets the share is told which masks it is drawn from', async () => {
  const report = { waiting: 0, warnings: [], all: { pairs: 0, levels: [] }, by: [] }
  const panel = (isAdmin: boolean) =>
    rendered(createElement(AuditPanel, { dataset: 'd', isAdmin, audits: false }), [
      [['dataset', 'd', 'audit'], { plan: { share: 0, rate_90: 0.8, rate_75: 0.9 }, report }],
    ])
  const said = 'The share is drawn from masks that are made while it is above 0, and in the hour before.'
  expect(panel(true)).toContain(said)
  expect(panel(false)).not.toContain(said)
  await speak('de')
  expect(panel(true)).toContain('Gezogen wird aus Masken, die entstehen, während der Anteil über 0 ist')
})
