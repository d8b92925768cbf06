import { type RefObject, useEffect, useLayoutEffect, useRef } from 'react'
import { useStore } from 'zustand'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { boxOf } from '@/shared/geometry/points'
import { colourOf, IN_WORK } from '../editor/colours'
import type { Editor } from '../editor/editor'
import type { View } from '../tools/panTool'
import type { PromptState } from '../tools/promptTool'
import classes from './layers.module.css'
import { begin, paintMask } from './paint'

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

/** Redrawn when the photo or the view changes. */
export function ImageLayer({
  view,
  picture,
  name,
}: LayerProps & { picture: ImageBitmap | null; name: string }) {
  const ref = useRef<HTMLCanvasElement>(null)
  usePainting(ref, canvas => {
    const context = begin(canvas, view)
    context.imageSmoothingEnabled = view.scale < 2
    context.imageSmoothingQuality = 'high'
    if (picture) context.drawImage(picture, 0, 0)
  })
  return <canvas ref={ref} className={classes.layer} role="img" aria-label={`Photo ${name}`} />
}

/** Redrawn when masks change: those accepted, and the one in work. */
export function MaskLayer({ view, editor, isHidden }: LayerProps & { editor: Editor; isHidden: boolean }) {
  const ref = useRef<HTMLCanvasElement>(null)
  const { masks, candidates, chosen, selected } = useStore(editor.store)
  usePainting(ref, canvas => {
    const context = begin(canvas, view)
    if (isHidden) return
    masks.forEach(({ id, mask }, index) => {
      const isSelected = id === selected
      const opacity = isSelected ? 0.6 : selected ? 0.12 : 0.32
      paintMask(context, mask, view, { colour: colourOf(index), opacity, lineWidth: isSelected ? 2.5 : 1.5 })
    })
    candidates.forEach(({ mask }, index) => {
      if (index !== chosen)
        paintMask(context, mask, view, { colour: IN_WORK, opacity: 0, lineWidth: 1, dashed: true })
    })
    const shown = candidates[chosen]
    if (shown) paintMask(context, shown.mask, view, { colour: IN_WORK, opacity: 0.45, lineWidth: 2 })
  })
  return <canvas ref={ref} className={classes.layer} aria-hidden />
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
