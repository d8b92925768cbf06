import { afterEach, expect, test } from 'vitest'
import { dateTime, languageFor, number, percent, speak, t } from '@/shared/i18n'
import german from '@/shared/i18n/de.json'
import english from '@/shared/i18n/en.json'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

test('the person chooses the language, or else the browser', () => {
  expect(languageFor('de', ['en-US'])).toBe('de')
  expect(languageFor(null, ['fr-FR', 'de-CH', 'en'])).toBe('de')
  expect(languageFor('tlh', ['fr'])).toBe('en')
  expect(languageFor('constructor', [])).toBe('en')
})

test('a text that a catalogue has not is the English one, and its numbers are written as the language does', async () => {
  expect(t('{{count}} masks', { count: 1 })).toBe('1 mask')
  expect(t('{{count}} masks', { count: 12_345 })).toBe('12,345 masks')
  await speak('de')
  expect(t('No catalogue has {{this}}', { this: 12_345.5 })).toBe('No catalogue has 12.345,5')
  expect([number(1234.5), percent(0.5)]).toEqual(['1.234,5', '50\u00a0%'])
  expect(dateTime('2026-11-23T12:00:00Z', { dateStyle: 'long', timeZone: 'UTC' })).toBe('23. November 2026')
})

test('German says undo in German', async () => {
  await speak('de')
  expect(t('Undo')).toBe('Rückgängig')
  expect(t('{{count}} masks', { count: 2 })).toBe('2 Masken')
})

test('a translation asks for the same values as the text', () => {
  const asked = (words: string) => [...words.matchAll(/\{\{(\w+)\}\}/g)].map(found => found[1]).sort()
  const texts: Record<string, string> = { ...german, ...english }
  const wrong = Object.entries(texts).filter(([key, words]) => {
    const wanted = asked(key)
    // One may leave the number out: "ein Foto".
    return asked(words).some(name => !wanted.includes(name)) || wanted.some(name => name !== 'count' && !words.includes(name!))
  })
  expect(wrong).toEqual([])
})
