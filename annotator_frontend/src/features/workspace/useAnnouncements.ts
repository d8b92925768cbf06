import { useEffect } from 'react'
import { t } from '@/shared/i18n'
import { announce } from '@/shared/ui/announce'
import type { Editor, EditorState } from './editor/editor'

/** Tells a screen reader what happens on the canvas. Saving tells of itself, in the status line. */
export function useAnnouncements(editor: Editor): void {
  useEffect(
    () =>
      editor.store.subscribe((now, before) => {
        const said = whatHappened(now, before)
        if (said) announce(said)
      }),
    [editor],
  )
}

/** What a change is to somebody who does not see it; null: nothing to tell. */
export function whatHappened(now: EditorState, before: EditorState): string | null {
  if (now.photo !== before.photo) {
    return now.photo === null ? null : t('The next photo. Objects: {{count}}', { count: now.masks.length })
  }
  const isUndo = now.past.length < before.past.length && now.future.length > before.future.length
  const isRedo = now.future.length === before.future.length - 1 && now.past.length > before.past.length
  if (isUndo || isRedo) {
    const word = isUndo ? t('Undone') : t('Done again')
    return `${word}. ${t('Objects: {{count}}', { count: now.masks.length })}`
  }
  if (now.masks.length > before.masks.length) {
    return t('Object accepted. Objects: {{count}}', { count: now.masks.length })
  }
  if (now.masks.length < before.masks.length) {
    return t('Object removed. Objects: {{count}}', { count: now.masks.length })
  }
  const shown = now.candidates[now.chosen]
  if (shown && !now.isWaiting && (shown !== before.candidates[before.chosen] || before.isWaiting)) {
    const iou = Math.round(100 * Math.min(Math.max(shown.predictedIou, 0), 1))
    return now.candidates.length > 1
      ? t('Mask {{number}} of {{all}}, predicted IoU {{iou}} percent', {
          number: now.chosen + 1,
          all: now.candidates.length,
          iou,
        })
      : t('Mask, predicted IoU {{iou}} percent', { iou })
  }
  if (before.prompts.length && !now.prompts.length && now.masks === before.masks) return t('Given up')
  if (now.selected !== before.selected && now.selected !== null) {
    const number = now.masks.findIndex(({ id }) => id === now.selected) + 1
    return t('Object {{number}} of {{all}} selected', { number, all: now.masks.length })
  }
  return null
}
