import { useEffect, useMemo, useRef, useState } from 'react'
import { commandOf, heldBy, keymapOf, type OwnKeys } from './keymap'
import { type Command, inLatin, mayRepeat } from './keys'

export interface HeldKeys {
  isHidden: boolean
  isSpaceDown: boolean
}

/** What keeps its keys to itself. A choice among few needs only its arrows and Space. */
export const FIELDS = 'input:not([type="radio"]), textarea, select, [role="dialog"], [role="menu"]'
const ARROWS = /^(Arrow|Page|Home|End)/

/** Keys for as long as the workspace is shown. Typing into a field, and dialogs, keep their own keys. */
export function useWorkspaceKeys(run: (command: Command) => boolean, own: OwnKeys): HeldKeys {
  const keymap = useMemo(() => keymapOf(own), [own])
  const newest = useRef({ run, keymap })
  newest.current = { run, keymap }
  const [held, setHeld] = useState<HeldKeys>({ isHidden: false, isSpaceDown: false })

  useEffect(() => {
    const isIn = (target: EventTarget | null, selector: string) =>
      target instanceof Element && target.closest(selector) !== null
    const isElsewhere = ({ target, key }: KeyboardEvent) =>
      isIn(target, FIELDS) ||
      (isIn(target, 'input') && (key === ' ' || ARROWS.test(key))) ||
      (isIn(target, '[role="slider"]') && ARROWS.test(key)) ||
      // Elsewhere Tab goes on to what is next on the page.
      (key === 'Tab' && target !== document.body && !isIn(target, '[role="application"]'))
    const isButton = (target: EventTarget | null) => isIn(target, 'button, a')
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return
      // A key that is held presses a button once, in a menu, too: the one that opened the menu must not take its first line.
      if (event.repeat && event.key === 'Enter' && isButton(event.target)) event.preventDefault()
      if (event.defaultPrevented || isElsewhere(event)) return
      const holding = heldBy(event)
      if (holding === 'space' && !isButton(event.target)) {
        event.preventDefault()
        setHeld(now => (now.isSpaceDown ? now : { ...now, isSpaceDown: true }))
        return
      }
      if (holding === 'hide') {
        setHeld(now => (now.isHidden ? now : { ...now, isHidden: true }))
        return
      }
      const command = commandOf(event, newest.current.keymap)
      if (!command || (command === 'accept' && isButton(event.target))) return
      if (event.repeat && !mayRepeat(command)) event.preventDefault()
      else if (newest.current.run(command)) event.preventDefault()
    }
    const onKeyUp = (event: KeyboardEvent) => {
      if (event.key === ' ') setHeld(now => ({ ...now, isSpaceDown: false }))
      if (inLatin(event).key.toLowerCase() === 'h') setHeld(now => ({ ...now, isHidden: false }))
    }
    const letGo = () => setHeld({ isHidden: false, isSpaceDown: false })
    window.addEventListener('keydown', onKeyDown)
    window.addEventListener('keyup', onKeyUp)
    window.addEventListener('blur', letGo)
    return () => {
      window.removeEventListener('keydown', onKeyDown)
      window.removeEventListener('keyup', onKeyUp)
      window.removeEventListener('blur', letGo)
    }
  }, [])
  return held
}
