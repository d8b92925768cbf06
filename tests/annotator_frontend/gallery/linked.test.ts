import { expect, test } from 'vitest'
import { linkedInWords } from '@/features/gallery/linked'
import { dateTime } from '@/shared/i18n'

test('what came with a link is said, and can be taken away as one', () => {
  const [from, to] = ['2026-03-05T00:00:00Z', '2026-03-10T00:00:00Z']
  expect(linkedInWords({ made_from: from, made_to: to, verdict: 'fix' })).toEqual([
    { names: ['verdict'], words: 'To be corrected' },
    { names: ['made_from', 'made_to'], words: `Masks made from ${dateTime(from)} to ${dateTime(to)}` },
  ])
})

test('a time in the address that is none does not take the page down', () => {
  expect(linkedInWords({ made_from: 'yesterday', judged_to: '2026-13-45' }).map(({ words }) => words)).toEqual([
    'Masks made from yesterday',
    'Judged before 2026-13-45',
  ])
})

test('photos that somebody skipped say why, and in which work', () => {
  const said = (choice: object) => linkedInWords(choice).map(({ names, words }) => [words, ...names])
  const names = ['skipped', 'skipped_in']
  expect(said({ skipped: 'Too difficult', skipped_in: 'correct' })).toEqual([['Skipped: Too difficult (Correct)', ...names]])
  expect(said({ skipped: 'Too difficult' })).toEqual([['Skipped: Too difficult', ...names]])
  expect(said({ skipped_in: 'correct' })).toEqual([['Skipped: Correct', ...names]])
  expect(said({ skipped_in: 'nonsense' })).toEqual([])
})

test('whose work is shown is said by name where one may know it', () => {
  const said = (people?: Record<string, string>) =>
    linkedInWords({ submitted_by: 'a', judged_by: 'b' }, people).map(({ names, words }) => [words, ...names])
  expect(said({ a: 'Ada', b: 'Ben' })).toEqual([
    ['Submitted by Ada', 'submitted_by'],
    ['Judged by Ben', 'judged_by'],
  ])
  expect(said()[0]).toEqual(['Submitted by one person', 'submitted_by'])
})
