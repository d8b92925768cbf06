import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { speak } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'

/** What the server says, and its German; the server's tests hold it to the same file. */
const SAID = JSON.parse(readFileSync(new URL('../../data/said.json', import.meta.url), 'utf8')) as Record<string, string>

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

test.each(Object.entries(SAID))('in German: %s', async (english, german) => {
  expect(said(english)).toBe(english)
  await speak('de')
  expect(said(english)).toBe(german)
})

test('a sentence that nobody knows is shown as it is, also after one that is known', async () => {
  await speak('de')
  expect(said('The moon is full.')).toBe('The moon is full.')
  expect(said('By hand. The moon is full.')).toBe('Von Hand. The moon is full.')
  expect(said('By hands.')).toBe('By hands.')
})

test('what people wrote stays as they wrote it', async () => {
  await speak('de')
  expect(said('The schedule */5 1,2 * * 1-5 is due, with 1 new mask.')).toBe(
    'Nach dem Zeitplan */5 1,2 * * 1-5 ist es so weit, mit 1 neuen Maske.',
  )
})
