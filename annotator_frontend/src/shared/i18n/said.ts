import { fixed, t, text } from './index'

/**
 * What the server says of runs, policies, the gate and audits. It writes sentences in English, keeps them, and tells them to whoever asks, so
 * a page in another language knows them again. `tests/data/said.json` holds those that it makes.
 */
const SENTENCES = [
  text('By hand.'),
  text('Retraining by itself is off.'),
  text('Neither a number of new masks nor a schedule is set.'),
  text('A run is on its way; there is one at a time.'),
  text('{{number}} new mask since the last run.'),
  text('{{number}} new masks since the last run.'),
  text('It waits until none has come for {{number}} minute.'),
  text('It waits until none has come for {{number}} minutes.'),
  text('The schedule {{words}} is due, with {{number}} new mask.'),
  text('The schedule {{words}} is due, with {{number}} new masks.'),
  text('The schedule {{words}} is due, but there is no new mask since the last run: it is passed over.'),
  text('{{number}} of {{wanted}} new masks.'),
  text('By the schedule {{words}}, with {{number}} new masks so far.'),
  text('The last run ended less than {{number}} minutes ago.'),
  text('It has started {{number}} run in 24 hours, and may start no more.'),
  text('It has started {{number}} runs in 24 hours, and may start no more.'),
  text('The gate wants {{number}} more test photos before it decides.'),
  text('The gate wants {{number}} more test masks before it decides.'),
  text('The gate wants {{photos}} more test photos and {{masks}} more test masks before it decides.'),
  text('mIoU over 1, 3 and 5 clicks rose by {{gain}}, better in {{percent}}% of resamples.'),
  text(
    'mIoU over 1, 3 and 5 clicks changed by {{gain}}, and is better in {{percent}}% of resamples; more than {{least}} in at least {{wanted}}% is wanted.',
  ),
  text('{{figure}} went from {{live}} to {{candidate}}; worse by {{allowed}} at most is allowed.'),
  text('{{figure}} went from {{live}} to {{candidate}}; worse by {{allowed}} clicks at most is allowed.'),
  text('But another model was made live meanwhile; it stays until you say otherwise.'),
  text('By the schedule {{words}}, with {{number}} new mask so far.'),
  text('The last run ended less than {{number}} minute ago.'),
  text('The gate wants {{number}} more test photo before it decides.'),
  text('The gate wants {{number}} more test mask before it decides.'),
  text('The gate wants {{photos}} more test photo and {{masks}} more test masks before it decides.'),
  text('The gate wants {{photos}} more test photos and {{masks}} more test mask before it decides.'),
  text('The gate wants {{photos}} more test photo and {{masks}} more test mask before it decides.'),
  text('It wants photos of {{number}} more scene: those of one group count as one.'),
  text('It wants photos of {{number}} more scenes: those of one group count as one.'),
  text('{{percent}}% of the audited masks are above {{level}} IoU; {{wanted}}% are wanted.'),
  text("{{percent}}% of the live model's audited masks are above {{level}} IoU; {{wanted}}% are wanted."),
  text('{{percent}}% of the newest audited masks are above {{level}} IoU; {{wanted}}% are wanted.'),
  text('That may be chance: the interval still holds it.'),
  text('the default model'),
  text('rolled back'),
  text('by hand'),
  text('promoted by the gate'),
]

/** Names within sentences; `{{words}}` are people's own. */
const NAMES: readonly string[] = [
  text('mIoU after 1 click'),
  text('mIoU after 3 clicks'),
  text('mIoU after 5 clicks'),
  text('clicks to 90% IoU'),
  text('oracle gap'),
  text('small objects'),
  text('medium objects'),
  text('large objects'),
]

const KNOWN = SENTENCES.map(sentence => ({ sentence, form: formOf(sentence) }))

/** In the page's language; a sentence that it does not know as the server says it. */
export function said(sentences: string): string {
  const known = KNOWN.map(({ sentence, form }) => ({ sentence, found: form.exec(sentences) })).find(
    ({ found }) => found,
  )
  if (!known) return sentences
  const { sentence, found } = known
  const values = Object.entries(found!.groups ?? {}).map(([name, value]) => [name, spoken(name, value)])
  const rest = sentences.slice(found![0].length).trimStart()
  return [t(sentence, Object.fromEntries(values)), rest && said(rest)].filter(Boolean).join(' ')
}

function formOf(sentence: string): RegExp {
  const escaped = sentence.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
  const form = escaped.replace(/\{\{(\w+)\}\}/g, (_, name: string) =>
    name === 'words' || name === 'figure' ? `(?<${name}>.+?)` : `(?<${name}>[+-]?\\d+(?:\\.\\d+)?)`,
  )
  return new RegExp(`^${form}(?= |$)`)
}

function spoken(name: string, value: string): string {
  if (name === 'words') return value
  if (name === 'figure') {
    const parts = value.split(', ').map(part => (NAMES.includes(part) ? t(part) : part))
    return parts.join(', ')
  }
  const decimals = value.split('.')[1]?.length ?? 0
  return fixed(Number(value), decimals, { signDisplay: value.startsWith('+') ? 'always' : 'auto' })
}
