import { expect, test } from 'vitest'
import { masksOf } from '@/features/workspace/saving/maskBody'
import { type Journal, Outbox, type Server } from '@/features/workspace/saving/outbox'
import { ApiError, isPassing, type Schemas, Unreachable } from '@/shared/api/client'
import { cropped } from '@/shared/geometry/bitmask'
import { encode } from '@/shared/geometry/runLengths'

const body = {
  size: [2, 2],
  counts: encode(cropped(Uint8Array.of(1, 0, 0, 0), { width: 2, height: 2 })),
  origin: 'brush',
  prompts: [],
  replaces: null,
}
const stored = (id: string, author: string) => ({ ...body, id, author }) as unknown as Schemas['MaskJson']
const ids = (masks: { id: string }[]) => masks.map(({ id }) => id)

const journal: Journal = {
  read: async () => [],
  has: async () => true,
  write: async () => {},
  remove: async () => {},
  alone: send => send(),
}

test('a mask that another window removed does not come back when the photo is opened again', async () => {
  const outbox = new Outbox(() => ({ put: async () => {} }) as unknown as Server, journal)
  outbox.add({ kind: 'put', id: 'a', image: 'photo', assignment: 'lease', body })
  await expect.poll(() => outbox.state.name).toBe('saved')
  expect(ids(masksOf([], outbox.operationsOn('photo', 0)))).toEqual(['a']) // asked before it was confirmed
  expect(masksOf([], outbox.operationsOn('photo', outbox.confirmations))).toEqual([])
})

test('what a person drew stays theirs to change where the masks of others are locked, after a reload too', () => {
  const masks = masksOf([stored('own', 'me'), stored('other', 'you')], [], () => true, 'me')
  expect(masks.map(({ id, locked }) => [id, locked])).toEqual([
    ['own', false],
    ['other', true],
  ])
})

test('a photo that was asked for is still wanted when the network, the login or the server fails', () => {
  const failures = [new Unreachable(), ...[401, 429, 500, 503].map(status => new ApiError(status, '', ''))]
  expect(failures.every(isPassing)).toBe(true)
  expect([400, 403, 404, 409].some(status => isPassing(new ApiError(status, '', '')))).toBe(false)
})
