import { dateTime, t } from '@/shared/i18n'
import { jobNames } from '@/shared/ui/jobs'
import type { Choice } from './choice'

type Name = keyof Choice

/** What came with a link, from the dashboard above all, and has no field: each can be taken away. */
export function linkedInWords(
  choice: Choice,
  people: Readonly<Record<string, string>> = {},
): { names: Name[]; words: string }[] {
  const parts: [Name[], string | undefined, string | undefined, (when: string) => string][] = [
    [['made_from', 'made_to'], choice.made_from, choice.made_to, when => t('Masks made {{when}}', { when })],
    [
      ['finished_from', 'finished_to'],
      choice.finished_from,
      choice.finished_to,
      when => t('Finished {{when}}', { when }),
    ],
    [
      ['judged_from', 'judged_to'],
      choice.judged_from,
      choice.judged_to,
      when => t('Judged {{when}}', { when }),
    ],
  ]
  const found = parts.flatMap(([names, from, to, say]) =>
    from || to ? [{ names, words: say(spell(from, to)) }] : [],
  )
  const { submitted_by, judged_by } = choice
  // Others than oneself are told to reviewers alone.
  const who = (id: string) => people[id] ?? t('one person')
  if (submitted_by)
    found.push({ names: ['submitted_by'], words: t('Submitted by {{who}}', { who: who(submitted_by) }) })
  if (judged_by) found.push({ names: ['judged_by'], words: t('Judged by {{who}}', { who: who(judged_by) }) })
  const skipped = skippedInWords(choice)
  if (skipped) found.push({ names: ['skipped', 'skipped_in'], words: skipped })
  const verdict = verdictNames()[choice.verdict ?? '']
  return verdict ? [{ names: ['verdict'], words: verdict }, ...found] : found
}

function skippedInWords({ skipped, skipped_in }: Choice): string | null {
  const work = (jobNames() as Record<string, string>)[skipped_in ?? '']
  if (skipped) {
    const reason = t(skipped)
    return t('Skipped: {{reason}}', { reason: work ? `${reason} (${work})` : reason })
  }
  return work ? t('Skipped: {{reason}}', { reason: work }) : null
}

function spell(from: string | undefined, to: string | undefined): string {
  // An address may say anything: what is no time is shown as it is, and the list says why it is empty.
  const say = (time: string) =>
    Number.isNaN(Date.parse(time)) ? time : dateTime(time, { dateStyle: 'medium', timeStyle: 'short' })
  if (from && to) return t('from {{from}} to {{to}}', { from: say(from), to: say(to) })
  return from ? t('from {{from}}', { from: say(from) }) : t('before {{to}}', { to: say(to!) })
}

function verdictNames(): Record<string, string> {
  return {
    accept: t('Accepted'),
    fix: t('To be corrected'),
    not_an_object: t('Not an object'),
    unsure: t('Unsure'),
  }
}
