import { isBusy } from './document'
import type { Editor, EditorState } from './editor'

/** Abort once what was begun for the object in work, or for the next one, would go into another. Returns how to stop that. */
export function abortWithObject(editor: Editor, abort: AbortController): () => void {
  // After Enter it is for the next one: that the object in work is accepted then is as it should be.
  let isForNext = editor.state.isPromised
  return editor.store.subscribe((now, before) => {
    const isAccepted = isForNext && isBusy(before) && !isBusy(now)
    if (isAccepted) isForNext = false
    // The promise is kept in this very task, or was broken: then there is no next one.
    if (isForNext && before.isPromised && !now.isPromised) queueMicrotask(() => isForNext && abort.abort())
    if (!isAccepted && isOther(now, before)) abort.abort()
  })
}

function isOther(now: EditorState, before: EditorState): boolean {
  if (now.photo !== before.photo || (now.isPromised && !before.isPromised)) return true
  // A click begins the object that is meant; a correction lets its selection go.
  return isBusy(before) ? !isBusy(now) : !isBusy(now) && now.selected !== before.selected
}
