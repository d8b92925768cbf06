import { t } from '@/shared/i18n'
import type { Assignment } from './photoShelf'
import { named } from './saving/outbox'
import type { Workbench } from './workbench'

/** Nobody has looked at a photo before it has been there for this long. */
const LOOK_MS = 400

/**
 * Submit the photo at hand, once all that is in work on it is done. What cannot be finished is said, and nothing is submitted.
 *
 * @param complete whether the person says that nothing is left to label.
 */
export function submit(bench: Workbench, { complete }: { complete: boolean }): void {
  const { assignment, editor, hand, shelf, openedAt, surroundings } = bench
  // A double click, or a photo that nobody has seen yet: not an empty photo in the dataset.
  if (!assignment || !shelf.get(assignment.image.id).picture || performance.now() - openedAt < LOOK_MS) return
  // An outline in the making is closed, and no gesture goes on into the next photo.
  if (hand.gesture.name === 'drawing') hand.confirm()
  if (hand.gesture.name !== 'idle') {
    surroundings.onError(t('Finish what you are drawing first, or press Escape.'))
    return
  }
  // An object in work is not thrown away: what is on show is taken, and where nothing is yet, the person is told.
  if (editor.isBusy && !editor.accept()) {
    sayUnfinished(bench)
    return
  }
  editor.whenSettled(() => {
    // The lease may be another one by now, of the same photo.
    const now = bench.assignment
    if (now?.image.id === assignment.image.id) send(bench, now, complete)
  })
}

function send(bench: Workbench, assignment: Assignment, complete: boolean): void {
  const { editor, outbox, surroundings } = bench
  // Begun while what was accepted last was on its way.
  if (editor.isBusy) {
    sayUnfinished(bench)
    return
  }
  const { id, image, job } = assignment
  const faulty = new Set(assignment.masks.filter(({ state }) => state === 'faulty').map(mask => mask.id))
  const left = job === 'correct' && editor.state.masks.find(mask => faulty.has(mask.id))
  if (left) {
    editor.select(left.id)
    surroundings.onError(t('This mask was found faulty: correct it, or remove it.'))
    return
  }
  const masks = editor.state.masks.filter(({ isNew }) => isNew).map(mask => mask.id)
  outbox.add({ kind: 'submit', assignment: id, masks, complete, ...named(image) })
  surroundings.onSubmit(assignment)
}

function sayUnfinished({ surroundings }: Workbench): void {
  surroundings.onError(t('The object in work has no mask yet: wait for it, or press Escape.'))
}
