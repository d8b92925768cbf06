import type { Answer } from './verdictOutbox'

/** What can be answered, in the order of the buttons. The words are keys of the translations. */
export const ANSWERS: readonly { answer: Answer; label: string; meaning: string; keys: readonly string[] }[] =
  [
    { answer: 'accept', label: 'Accept', meaning: 'One object, well outlined', keys: ['a', '1'] },
    { answer: 'fix', label: 'Fix', meaning: 'An object, but the outline is wrong', keys: ['f', '2'] },
    {
      answer: 'not_an_object',
      label: 'Not an object',
      meaning: 'Nothing that one would outline',
      keys: ['n', '3'],
    },
    { answer: 'unsure', label: 'Unsure', meaning: 'Somebody else is asked', keys: ['u', '4'] },
  ]

/** What a key does on the verify page, or null. */
export function verdictOfKey(event: {
  key: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
}): Answer | 'back' | null {
  const key = event.key.toLowerCase()
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey
  if (key === 'z' && !event.altKey) return 'back'
  if (!isPlain) return null
  if (key === 'backspace') return 'back'
  return ANSWERS.find(({ keys }) => keys.includes(key))?.answer ?? null
}
