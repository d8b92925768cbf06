import { useEffect, useMemo, useRef, useState } from 'react'
import { commandOf, keymapOf, type OwnKeys } from './keymap'
import type { Command } from './keys'

export interface HeldKeys {
  isHidden: boolean
  isSpaceDown: boolean
}

/** Keys for as long as the workspace is shown. Typing into a field, and dialogs, keep their own keys. */
export function useWorkspaceKeys(run: (command: Command) => boolean, own: OwnKeys): HeldKeys {
  const keymap = useMemo(() => keymapOf(own), [own])
  const newest = useRef({ run, keymap })
  newest.current = { run, keymap }
  const [held, setHeld] = useState<HeldKeys>({ isHidden: false, isSpaceDown: false })

  useEffect(() => {
    const isElsewhere = (target: EventTarget | null) =>
      target instanceof Element &&
      target.closest('input, textarea, select, [role="dialog"], [role="menu"]') !== null
    const isButton = (target: EventTarget | null) =>
      target instanceof Element && target.closest('button, a') !== null
    const onKeyDown = (event: KeyboardEvent) => {
      if (isElsewhere(event.target)) return
      if (event.key === ' ' && !isButton(event.target)) {
        event.preventDefault()
        setHeld(now => (now.isSpaceDown ? now : { ...now, isSpaceDown: true }))
        return
      }
      if (event.key.toLowerCase() === 'h' && !event.ctrlKey && !event.metaKey) {
        setHeld(now => (now.isHidden ? now : { ...now, isHidden: true }))
        return
      }
      const command = commandOf(event, newest.current.keymap)
      if (!command || (command === 'accept' && isButton(event.target))) return
      // A key held down accepts and submits once.
      if ((command === 'accept' || command.startsWith('submit')) && event.repeat) event.preventDefault()
      else if (newest.current.run(command)) event.preventDefault()
    }
    const onKeyUp = (event: KeyboardEvent) => {
      if (event.key === ' ') setHeld(now => ({ ...now, isSpaceDown: false }))
      if (event.key.toLowerCase() === 'h') setHeld(now => ({ ...now, isHidden: false }))
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
