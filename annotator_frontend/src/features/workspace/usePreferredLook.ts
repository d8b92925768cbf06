import { useEffect, useRef } from 'react'
import type { Preferences } from '@/shared/api/usePreferences'
import type { Look } from './editor/look'
import type { ToolboxStore } from './tools/toolbox'

/** Changes in a row are kept once. */
const GATHER_MS = 800

/** Opacity and hover preview go with the person, from browser to browser. What this browser remembers holds until then. */
export function usePreferredLook(
  look: Look,
  toolbox: ToolboxStore,
  { opacity, hover_preview }: Preferences,
  change: (changes: Preferences) => void,
): void {
  const newest = useRef(change)
  newest.current = change
  const kept = useRef({ opacity, hover_preview })
  useEffect(() => {
    const { opacity, hover_preview } = kept.current
    if (typeof opacity === 'number') look.setFill(opacity)
    if (typeof hover_preview === 'boolean') toolbox.setState({ isHoverOn: hover_preview })
    let timer: ReturnType<typeof setTimeout> | undefined
    let gathered: Preferences = {}
    const send = () => {
      clearTimeout(timer)
      if (Object.keys(gathered).length) newest.current(gathered)
      gathered = {}
    }
    const gather = (changes: Preferences) => {
      gathered = { ...gathered, ...changes }
      clearTimeout(timer)
      timer = setTimeout(send, GATHER_MS)
    }
    const stops = [
      look.store.subscribe((now, before) => {
        if (now.fill !== before.fill) gather({ opacity: now.fill })
      }),
      toolbox.subscribe((now, before) => {
        if (now.isHoverOn !== before.isHoverOn) gather({ hover_preview: now.isHoverOn })
      }),
    ]
    return () => {
      for (const stop of stops) stop()
      send()
    }
  }, [look, toolbox])
}
