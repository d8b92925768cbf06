import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef } from 'react'
import { useStore } from 'zustand'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { boxOf } from '@/shared/geometry/points'
import { t } from '@/shared/i18n'
import type { Rgb } from '../editor/colours'
import type { Editor } from '../editor/editor'
import type { Look } from '../editor/look'
import type { Extent, View } from '../tools/panTool'
import type { PromptState } from '../tools/promptTool'
import { begin } from './begin'
import classes from './layers.module.css'
import type { PainterClient } from './painter/client'
import { shownMasks } from './shownMasks'

/** Paints at most once a frame, after every render. */
function usePainting(
  ref: RefObject<HTMLCanvasElement | null>,
  paint: (canvas: HTMLCanvasElement) => void,
): void {
  const newest = useRef(paint)
  useLayoutEffect(() => {
    newest.current = paint
    const frame = requestAnimationFrame(() => ref.current && newest.current(ref.current))
    return () => cancelAnimationFrame(frame)
  })
}

interface LayerProps {
  view: View
}

interface PaintedLayersProps extends LayerProps {
  painter: PainterClient
  editor: Editor
  look: Look
  colours: ReadonlyMap<string, Rgb>
  pane: Extent
  photo: string
  name: string
  isHidden: boolean
}

/** The photo and its masks: two canvases that the painter draws, each when it has to. */
export function PaintedLayers(props: PaintedLayersProps) {
  const { painter, editor, look, colours, view, pane, photo, name, isHidden } = props
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => painter.attach(host.current!, classes.layer!), [painter])
  useLayoutEffect(() => {
    painter.look({ photo, view, pane, ratio: window.devicePixelRatio || 1, isHidden })
  }, [painter, photo, view, pane, isHidden])

  const { masks, candidates, chosen, selected } = useStore(editor.store)
  const { fill, isolated, hovered } = useStore(look.store)
  const shown = useMemo(
    () => shownMasks({ masks, candidates, chosen, selected, fill, isolated, hovered, colours }),
    [masks, candidates, chosen, selected, fill, isolated, hovered, colours],
  )
  useLayoutEffect(() => {
    const serial = painter.show(shown)
    painter.onDrawn = drawn => {
      if (drawn === serial) host.current?.setAttribute('data-drawn', String(serial))
    }
  }, [painter, shown])
  return <div ref={host} className={classes.layer} role="img" aria-label={t('Photo {{name}}', { name })} />
}

const DOT_PX = 5.5

/** Redrawn at every move of the hand. */
export function PointerLayer({
  view,
  editor,
  gesture,
}: LayerProps & { editor: Editor; gesture: PromptState }) {
  const ref = useRef<HTMLCanvasElement>(null)
  const prompts = useStore(editor.store, state => state.prompts)
  usePainting(ref, canvas => {
    const context = begin(canvas, view)
    for (const prompt of prompts) paintPrompt(context, prompt, view)
    if (gesture.name === 'boxing') {
      paintPrompt(context, { kind: 'box', box: boxOf(gesture.from, gesture.to) }, view)
    }
  })
  return <canvas ref={ref} className={classes.layer} aria-hidden />
}

function paintPrompt(context: CanvasRenderingContext2D, prompt: Prompt, view: View): void {
  if (prompt.kind === 'box') {
    const [x0, y0, x1, y1] = prompt.box
    for (const [style, width] of [
      ['rgb(8 12 18 / 0.7)', 3.5],
      ['#ffffff', 1.5],
    ] as const) {
      context.strokeStyle = style
      context.lineWidth = width / view.scale
      context.strokeRect(x0, y0, x1 - x0, y1 - y0)
    }
    return
  }
  const { x, y } = prompt.at
  const radius = DOT_PX / view.scale
  context.beginPath()
  context.arc(x, y, radius, 0, 2 * Math.PI)
  context.fillStyle = prompt.label ? '#2fbf71' : '#e5484d'
  context.fill()
  context.lineWidth = 2 / view.scale
  context.strokeStyle = '#ffffff'
  context.stroke()
  // Told apart without colour: plus and minus.
  context.lineWidth = 1.6 / view.scale
  context.beginPath()
  context.moveTo(x - radius / 2, y)
  context.lineTo(x + radius / 2, y)
  if (prompt.label) {
    context.moveTo(x, y - radius / 2)
    context.lineTo(x, y + radius / 2)
  }
  context.stroke()
}

/** Calls back with the size of an element whenever it changes. */
export function useSize(
  ref: RefObject<HTMLElement | null>,
  onSize: (width: number, height: number) => void,
): void {
  const newest = useRef(onSize)
  newest.current = onSize
  useEffect(() => {
    const element = ref.current
    if (!element) return
    const observer = new ResizeObserver(() => newest.current(element.clientWidth, element.clientHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [ref])
}
