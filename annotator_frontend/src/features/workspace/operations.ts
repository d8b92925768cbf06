import { notifications } from '@mantine/notifications'
import { t, text } from '@/shared/i18n'
import type { Editor } from './editor/editor'
import type { Outcome } from './editor/operations'

export type Operation = 'fill holes' | 'remove islands' | 'merge' | 'subtract' | 'split'

export const OPERATIONS: Record<Operation, (editor: Editor) => Outcome> = {
  'fill holes': editor => editor.fillHoles(),
  'remove islands': editor => editor.removeIslands(),
  merge: editor => editor.merge(),
  subtract: editor => editor.subtract(),
  split: editor => editor.split(),
}

/** Of operations that changed nothing, or did it where nobody looks. */
const NOTHING: Record<Operation, string> = {
  'fill holes': text('There are no holes.'),
  'remove islands': text('There are no islands.'),
  merge: text('There is nothing to merge.'),
  subtract: text('They have no pixels in common.'),
  split: text('It is all in one part.'),
}

const WHY = {
  select: text('Select one mask first: Ctrl + click, or the list.'),
  'select two': text('Select two or more masks first: Ctrl + Shift + click, or Shift + click in the list.'),
  'too many': text('It has too many parts to be objects: remove its islands first.'),
  empty: text('Nothing would be left of it.'),
  waiting: text('The model is still answering.'),
} as const

/** Say what came of an operation, where it cannot be seen well. */
export function tell(operation: Operation, outcome: Outcome): void {
  if (!outcome.done) notify(t(outcome.why === 'nothing' ? NOTHING[operation] : WHY[outcome.why]))
  else if (operation === 'fill holes') notify(t('{{count}} holes filled', { count: outcome.count }))
  else if (operation === 'remove islands') notify(t('{{count}} islands removed', { count: outcome.count }))
  else if (operation === 'split') notify(t('Split into {{count}} parts', { count: outcome.count }))
}

export function notify(message: string, milliseconds = 2500): void {
  notifications.hide('workspace') // else the newer one is not shown
  notifications.show({ id: 'workspace', message, autoClose: milliseconds, withCloseButton: false })
}
