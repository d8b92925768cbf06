import { type RefObject, useEffect } from 'react'
import { FIELDS } from './useWorkspaceKeys'

/**
 * After a click by hand the keys belong to the photo again: Enter accepts, and does not press the same button once more. Whoever goes by
 * keys stays where they are, and so does who types. Dialogs and menus hang elsewhere in the page, and keep their keys.
 *
 * @param focusPhoto give the keys to the photo.
 */
export function useKeysOnPhoto(workspace: RefObject<HTMLElement | null>, focusPhoto: () => void): void {
  useEffect(() => {
    const own = workspace.current!
    const onClick = ({ target, detail }: MouseEvent) => {
      const isTyping = target instanceof Element && target.closest(FIELDS) !== null
      // A click that a key made counts no presses.
      if (detail > 0 && !isTyping) focusPhoto()
    }
    own.addEventListener('click', onClick)
    return () => own.removeEventListener('click', onClick)
  }, [workspace, focusPhoto])
}
