import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { PolicyForm } from '@/features/training/PolicyForm'
import { RetrainForm } from '@/features/training/RetrainDialog'
import { recipesWith } from '@/features/training/recipes'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

const policy = (recipe: string) =>
  [['dataset', 'd', 'policy'], { enabled: true, recipe, why: '', due_at: null }] as const
const form = (recipe: string) =>
  rendered(createElement(RetrainForm, { dataset: 'd', onClose: () => undefined }), [policy(recipe)])
const offered = (html: string) => [...html.matchAll(/type="radio"[^>]* value="(\w+)"/g)].map(([, value]) => value)
const chosen = (html: string) => html.match(/<input[^>]* checked=""[^>]* value="(\w+)"/)?.[1]

test('whoever retrains chooses a recipe, each with what it is for, and a seed; the policy’s recipe comes first to mind', async () => {
  const html = form('finetune')
  expect(offered(html)).toEqual(['decoder', 'finetune'])
  expect(chosen(html)).toBe('finetune')
  expect(chosen(form('decoder'))).toBe('decoder')
  expect(html).toContain('the decoder alone learns')
  expect(html).toContain('the encoder learns, too')
  expect(html).toContain('The same masks, recipe and seed make the same model.')
  await speak('de')
  expect(form('decoder')).toContain('Nur der Decoder lernt')
})

test('recipes for trials are offered only where one was set by the API', () => {
  expect(recipesWith('decoder')).toEqual(['decoder', 'finetune'])
  expect(recipesWith('debug_decoder')).toEqual(['decoder', 'finetune', 'debug_decoder'])
  expect(offered(form('debug_decoder'))).toContain('debug_decoder')
  const html = rendered(createElement(PolicyForm, { dataset: 'd' }), [policy('decoder')])
  expect(html).not.toContain('debug_decoder')
})
