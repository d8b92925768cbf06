import { useEffect } from 'react'
import { t } from '@/shared/i18n'
import { announce } from '@/shared/ui/announce'
import { isBusy } from './editor/document'
import type { AcceptedMask, Editor, EditorState } from './editor/editor'
import { COMMANDS } from './keys'
import type { Gesture, Hand } from './tools/hand'
import type { Toolbox, ToolboxStore } from './tools/toolbox'

/** Tells a screen reader what happens on the canvas. Saving tells of itself, in the status line. */
export function useAnnouncements(editor: Editor, hand: Hand, toolbox: ToolboxStore): void {
  useEffect(() => {
    const tell = (said: string | null) => said && announce(said)
    let corners = 0
    const stops = [
      editor.store.subscribe((now, before) => tell(whatHappened(now, before))),
      toolbox.subscribe((now, before) => tell(whichTool(now, before))),
      hand.subscribe(() => {
        const now = cornersOf(hand.gesture)
        if (now && now !== corners) announce(t('{{count}} corners', { count: now }))
        corners = now
      }),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }, [editor, hand, toolbox])
}

/** The tool that was taken up; null: it is the one from before. */
export function whichTool(now: Pick<Toolbox, 'tool'>, before: Pick<Toolbox, 'tool'>): string | null {
  return now.tool === before.tool ? null : t(COMMANDS[`tool ${now.tool}`].label)
}

/** How many corners a polygon in the making has. */
export function cornersOf(gesture: Gesture): number {
  return gesture.name === 'drawing' ? gesture.corners.length : 0
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
  const became = now.masks === before.masks ? null : whatBecame(now.masks, before.masks)
  if (became) return became
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
  if (now.painted && now.painted !== before.painted) return t('Painted')
  if (isBusy(before) && !isBusy(now) && now.masks === before.masks) return t('Given up')
  if (now.selected !== before.selected && now.selected !== null) {
    const number = now.masks.findIndex(({ id }) => id === now.selected) + 1
    return t('Object {{number}} of {{all}} selected', { number, all: now.masks.length })
  }
  return null
}

/** What came of the photo's masks. Their number does not tell: a correction takes the place of a mask, and so does a merger. */
function whatBecame(now: readonly AcceptedMask[], before: readonly AcceptedMask[]): string | null {
  const [present, past] = [idsOf(now), idsOf(before)]
  const came = now.filter(({ id }) => !past.has(id))
  const gone = idsOf(before.filter(({ id }) => !present.has(id)))
  const count = now.length
  if (came.length && came.every(({ isNew }) => !isNew)) return null // somebody else's: the page says that by itself
  if (!came.length) return gone.size ? t('Object removed. Objects: {{count}}', { count }) : null
  const successor = came.find(({ replaces }) => replaces !== null && gone.has(replaces))
  if (!successor) return t('Object accepted. Objects: {{count}}', { count })
  if (gone.size > 1) return t('Objects merged. Objects: {{count}}', { count })
  if (came.length > 1) return t('Object split. Objects: {{count}}', { count })
  return t('Object {{number}} corrected. Objects: {{count}}', { number: now.indexOf(successor) + 1, count })
}

function idsOf(masks: readonly AcceptedMask[]): ReadonlySet<string> {
  return new Set(masks.map(({ id }) => id))
}
