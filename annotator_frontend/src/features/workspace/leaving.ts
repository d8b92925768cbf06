import type { Editor } from './editor/editor'

/** So long an answer is waited for. */
const PATIENCE_MS = 2000

/**
 * Leave the photo once the object that Enter was pressed for is accepted, and what waited for it is done. Where the answer does not come
 * in time, the object stays in work, as a draft, and that is said.
 *
 * @returns how to stay after all.
 */
export function leaveOnceAccepted(editor: Editor, leave: () => void, sayUnfinished: () => void): () => void {
  if (!editor.state.isPromised) {
    leave()
    return () => {}
  }
  let isLeft = false
  const go = () => {
    if (isLeft) return
    isLeft = true
    clearTimeout(timer)
    stop()
    leave()
  }
  // What waited for the object is done in the same task, and may be another promise.
  const stop = editor.store.subscribe(() => {
    if (!editor.state.isPromised) setTimeout(() => editor.state.isPromised || go())
  })
  const timer = setTimeout(() => {
    if (editor.breakPromise()) sayUnfinished()
    go()
  }, PATIENCE_MS)
  return () => {
    isLeft = true
    clearTimeout(timer)
    stop()
  }
}
