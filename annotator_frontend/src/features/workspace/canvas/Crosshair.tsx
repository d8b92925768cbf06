import { useSyncExternalStore } from 'react'
import type { KeyboardHand } from '../tools/keyboardHand'
import classes from './layers.module.css'
import type { Seen } from './seen'

const ARM = 'M20 2v13M20 25v13M2 20h13M25 20h13M20 20h.01'

/** Where the keyboard's hand is. Light on dark, so that it shows on any photo. */
export function Crosshair({ keyboard, seen }: { keyboard: KeyboardHand; seen: Seen }) {
  const isUsed = useSyncExternalStore(keyboard.subscribe, () => keyboard.at !== null)
  return isUsed && <Cross keyboard={keyboard} seen={seen} />
}

function Cross({ keyboard, seen }: { keyboard: KeyboardHand; seen: Seen }) {
  const at = useSyncExternalStore(keyboard.subscribe, () => keyboard.at)
  const held = useSyncExternalStore(keyboard.subscribe, () => keyboard.held)
  const view = useSyncExternalStore(seen.subscribe, seen.get)
  if (!at) return null
  const [x, y] = [at.x * view.scale + view.offsetX, at.y * view.scale + view.offsetY]
  return (
    <svg
      className={classes.crosshair}
      style={{ transform: `translate(${x - 20}px, ${y - 20}px)` }}
      viewBox="0 0 40 40"
      aria-hidden="true"
      data-testid="crosshair"
      data-held={held !== null}
    >
      <path d={ARM} stroke="rgb(8 12 18 / 0.8)" strokeWidth="5" strokeLinecap="round" />
      <path d={ARM} stroke={held ? '#ffd166' : '#ffffff'} strokeWidth="2" strokeLinecap="round" />
    </svg>
  )
}
