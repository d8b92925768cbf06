import { createElement } from 'react'
import { expect, test } from 'vitest'
import { Saving, WhatGoes } from '@/features/workspace/panels/Saving'
import type { Entry, Operation, Outbox, SavingState } from '@/features/workspace/saving/outbox'
import { DraftKeeper, type DraftStore } from '@/features/workspace/saving/drafts'
import { rendered } from '../shared/rendered'

const outboxThatIs = (state: SavingState) =>
  ({ subscribe: () => () => {}, getState: () => state }) as unknown as Outbox
const shown = (state: SavingState, drafts?: DraftKeeper) =>
  rendered(createElement(Saving, { outbox: outboxThatIs(state), drafts }))
const refused = { why: 'No.', code: 'mask_invalid', extra: {}, held: [] }

test('what is unsent is said to be kept in this browser only where it is', () => {
  const kept = [
    shown({ name: 'waiting', unsent: 2, why: 'No network.', unkept: null }),
    shown({ name: 'stuck', unsent: 2, ...refused, unkept: null }),
  ]
  for (const html of kept) {
    expect(html).toContain('kept in this browser')
    expect(html).not.toContain('keep it open')
  }
  const lost = [
    shown({ name: 'waiting', unsent: 2, why: 'No network.', unkept: 'disk full' }),
    shown({ name: 'stuck', unsent: 2, ...refused, unkept: 'disk full' }),
  ]
  for (const html of lost) {
    expect(html).not.toContain('kept in this browser')
    expect(html).toMatch(/in this page alone, so keep it open.*This browser keeps nothing \(disk full\)\./)
  }
})

test('that the object in work is kept nowhere is said for as long as it is so', async () => {
  let isFull = true
  const store: DraftStore = {
    read: async () => undefined,
    write: async () => {
      if (isFull) throw new Error('disk full')
    },
    remove: async () => {},
  }
  const drafts = new DraftKeeper(store)
  const after = async (draft: object | null) => {
    drafts.keep('photo', draft as never)
    await drafts.read('photo')
    return shown({ name: 'saved' }, drafts)
  }
  const sign = 'The object in work is in this page alone (disk full)'
  expect(await after({ n: 1 })).toContain(sign)
  expect(await after(null)).not.toContain(sign)
  expect(await after({ n: 2 })).toContain(sign)
  isFull = false
  expect(await after({ n: 3 })).not.toContain(sign)
})

const entry = (n: number, operation: object): Entry => ({
  name: `${String(Date.UTC(2026, 4, 9, 10, n)).padStart(15, '0')}-000000`,
  operation: { image: 'photo-id', assignment: 'lease', ...operation } as Operation,
})

test('who gives something up is told which it is: what, of which photo, and when it was made', () => {
  const told = (one: Entry) => rendered(createElement(WhatGoes, { entry: one }))
  const made = told(entry(1, { kind: 'put', id: 'a', body: {}, fileName: 'cat.jpg' }))
  expect(made).toContain('cat.jpg')
  expect(made).toContain('An object')
  expect(made).toContain('May 9, 2026')
  expect(told(entry(1, { kind: 'put', id: 'b', body: { replaces: 'a' } }))).toContain('A correction of an object')
  // From before names were written down with it.
  expect(told(entry(1, { kind: 'remove', id: 'a' }))).toMatch(/The removal of an object.*photo-id|photo-id.*The removal of an object/)
})
