import { useEffect, useRef } from 'react'
import { useStore } from 'zustand'
import type { Patched } from '@/shared/geometry/patched'
import type { Editor } from '../editor/editor'
import type { Hand } from '../tools/hand'
import type { View } from '../tools/panTool'
import type { ToolboxStore } from '../tools/toolbox'
import { begin } from './begin'
import classes from './layers.module.css'
import { paintPixels } from './paintedPixels'
import { paintHand } from './toolOverlay'

interface ToolLayerProps {
  view: View
  editor: Editor
  hand: Hand
  toolbox: ToolboxStore
  isHidden: boolean
}

/**
 * What the hand is at: two canvases, because the pixels under a brush are painted bit by bit, and what lies on top of them
 * anew at every move. Neither goes through React while the hand moves.
 */
export function ToolLayer({ view, editor, hand, toolbox, isHidden }: ToolLayerProps) {
  const pixels = useRef<HTMLCanvasElement>(null)
  const overlay = useRef<HTMLCanvasElement>(null)
  const painted = useStore(editor.store, state => state.painted)
  const prompts = useStore(editor.store, state => state.prompts)
  const drawn = useRef<{ view: View | null; mask: Patched | null; isHidden: boolean }>({
    view: null,
    mask: null,
    isHidden: false,
  })

  // biome-ignore lint/correctness/useExhaustiveDependencies: prompts and painted pixels are read from the editor
  useEffect(() => {
    let frame = 0
    const paint = () => {
      frame = 0
      if (!pixels.current || !overlay.current) return
      const mask = isHidden ? null : editor.pixelsShown()
      const touched = editor.takeTouched()
      const last = drawn.current
      const ratio = window.devicePixelRatio || 1
      const isOn = last.mask !== null && mask !== null && last.view === view && touched !== null
      if (isOn) {
        paintPixels(pixels.current, mask, view, ratio, touched)
      } else if (mask !== last.mask || last.view !== view || last.isHidden !== isHidden) {
        begin(pixels.current, view)
        if (mask) paintPixels(pixels.current, mask, view, ratio, null)
      }
      drawn.current = { view, mask, isHidden }
      paintHand(begin(overlay.current, view), hand, view, toolbox.getState().diameter)
    }
    const soon = () => {
      frame ||= requestAnimationFrame(paint)
    }
    soon()
    const [forgetHand, forgetBox] = [hand.subscribe(soon), toolbox.subscribe(soon)]
    return () => {
      cancelAnimationFrame(frame)
      forgetHand()
      forgetBox()
    }
  }, [view, editor, hand, toolbox, isHidden, painted, prompts])

  return (
    <>
      <canvas ref={pixels} className={classes.layer} aria-hidden />
      <canvas ref={overlay} className={classes.layer} aria-hidden />
    </>
  )
}
