import { useEffect, useRef } from 'react'
import type { Patched } from '@/shared/geometry/patched'
import type { Editor } from '../editor/editor'
import type { Hand } from '../tools/hand'
import type { Extent, View } from '../tools/panTool'
import type { ToolboxStore } from '../tools/toolbox'
import { begin, hide } from './begin'
import classes from './layers.module.css'
import { paintPixels } from './paintedPixels'
import type { Seen } from './seen'
import { isBlank, paintHand } from './toolOverlay'

interface ToolLayerProps {
  seen: Seen
  editor: Editor
  hand: Hand
  toolbox: ToolboxStore
  isHidden: boolean
}

/**
 * What the hand is at: two canvases, because the pixels under a brush are painted bit by bit, and what lies on top of them
 * anew at every move. Neither goes through React while the hand moves, and where nothing is on one of them, it is not touched.
 */
export function ToolLayer({ seen, editor, hand, toolbox, isHidden }: ToolLayerProps) {
  const pixels = useRef<HTMLCanvasElement>(null)
  const overlay = useRef<HTMLCanvasElement>(null)
  const drawn = useRef<{ view: View | null; pane: Extent | null; mask: Patched | null }>({
    view: null,
    pane: null,
    mask: null,
  })

  useEffect(() => {
    let frame = 0
    const paint = () => {
      frame = 0
      if (!pixels.current || !overlay.current) return
      const mask = isHidden ? null : editor.pixelsShown()
      const touched = editor.takeTouched()
      const last = drawn.current
      const [view, { pane }] = [seen.get(), seen]
      const isSameView = last.view === view && last.pane === pane
      const ratio = window.devicePixelRatio || 1
      const isOn = last.mask !== null && mask !== null && isSameView && touched !== null
      if (isOn) {
        paintPixels(pixels.current, mask, view, ratio, touched)
      } else if (!mask) {
        hide(pixels.current)
      } else if (mask !== last.mask || !isSameView) {
        begin(pixels.current, view, pane)
        paintPixels(pixels.current, mask, view, ratio, null)
      }
      drawn.current = { view, pane, mask }
      if (isBlank(hand)) hide(overlay.current)
      else paintHand(begin(overlay.current, view, pane), hand, seen, toolbox.getState().diameter)
    }
    const soon = () => {
      frame ||= requestAnimationFrame(paint)
    }
    soon()
    const forget = [
      hand.subscribe(soon),
      toolbox.subscribe(soon),
      editor.store.subscribe((now, before) => {
        if (now.painted !== before.painted || now.prompts !== before.prompts) soon()
      }),
      // In the frame in which the photo moves, too.
      seen.subscribe(() => {
        cancelAnimationFrame(frame)
        paint()
      }),
    ]
    return () => {
      cancelAnimationFrame(frame)
      for (const each of forget) each()
    }
  }, [seen, editor, hand, toolbox, isHidden])

  return (
    <>
      <canvas ref={pixels} className={classes.layer} aria-hidden />
      <canvas ref={overlay} className={classes.layer} aria-hidden />
    </>
  )
}
