import { useEffect } from 'react'
import type { Draft } from '../editor/draft'
import type { Editor } from '../editor/editor'
import type { DraftKeeper } from './drafts'

/**
 * The object in work is kept at each step of it, and is there again when the photo is opened after a reload or a crash. Where
 * the browser cannot keep it, the page is not closed without a question.
 */
export function useDrafts(editor: Editor, drafts: DraftKeeper, photo: string | undefined): void {
  useEffect(() => {
    if (photo === undefined) return
    let isGone = false
    void drafts.read(photo).then(draft => {
      if (!isGone && editor.state.photo === photo) editor.restore(draft)
    })
    let last = editor.draft()
    const stop = editor.store.subscribe(() => {
      if (editor.state.photo !== photo) return
      const draft = editor.draft()
      // What is done before the old draft has been read takes its place.
      if (isSame(draft, last)) return
      last = draft
      drafts.keep(photo, draft)
    })
    return () => {
      isGone = true
      stop()
    }
  }, [editor, drafts, photo])
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => drafts.unkept.get() !== null && event.preventDefault()
    window.addEventListener('beforeunload', ask)
    return () => window.removeEventListener('beforeunload', ask)
  }, [drafts])
}

/** Documents never change: the same parts are the same draft, and the same draft came about by the same steps. Time alone is none. */
function isSame(one: Draft | null, other: Draft | null): boolean {
  if (one === null || other === null) return one === other
  const names = Object.keys(one) as (keyof Draft)[]
  return names.every(name => name === 'earlier' || name === 'seconds' || one[name] === other[name])
}
