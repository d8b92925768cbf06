import { drawBorder } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { boxOf, type ImagePoint } from '@/shared/geometry/points'
import { anchorOf, stampOf } from '@/shared/geometry/strokes'
import { cssOf, IN_WORK } from '../editor/colours'
import type { Hand } from '../tools/hand'
import { inView, type View } from '../tools/panTool'
import type { Seen } from './seen'

const DOT_PX = 5.5
const DARK = 'rgb(8 12 18 / 0.75)'
const LIGHT = '#ffffff'
const CUT = '#ff8f8f'

/** A line that shows on any photo: light, on a dark halo. Widths are in screen pixels. */
function haloed(
  context: CanvasRenderingContext2D,
  scale: number,
  colour: string,
  width: number,
  path: () => void,
  ends: 'round' | 'square' = 'round',
): void {
  context.lineCap = ends
  context.lineJoin = ends === 'round' ? 'round' : 'miter'
  for (const [style, px] of [
    [DARK, width + 2],
    [colour, width],
  ] as const) {
    context.strokeStyle = style
    context.lineWidth = px / scale
    context.beginPath()
    path()
    context.stroke()
  }
}

export function paintPrompt(context: CanvasRenderingContext2D, prompt: Prompt, { scale }: View): void {
  if (prompt.kind === 'box') {
    const [x0, y0, x1, y1] = prompt.box
    haloed(context, scale, LIGHT, 1.5, () => context.rect(x0, y0, x1 - x0, y1 - y0))
    return
  }
  if (prompt.kind !== 'point') return
  const { x, y } = prompt.at
  const radius = DOT_PX / scale
  context.beginPath()
  context.arc(x, y, radius, 0, 2 * Math.PI)
  context.fillStyle = prompt.label ? '#2fbf71' : '#e5484d'
  context.fill()
  context.lineWidth = 2 / scale
  context.strokeStyle = LIGHT
  context.stroke()
  // Told apart without colour: plus and minus.
  context.lineWidth = 1.6 / scale
  context.beginPath()
  context.moveTo(x - radius / 2, y)
  context.lineTo(x + radius / 2, y)
  if (prompt.label) {
    context.moveTo(x, y - radius / 2)
    context.lineTo(x, y + radius / 2)
  }
  context.stroke()
}

function along(context: CanvasRenderingContext2D, path: readonly ImagePoint[]): void {
  // The first one's line has no beginning: it is where the line begins.
  for (const { x, y } of path) context.lineTo(x, y)
}

/** Whether `paintHand` would paint nothing at all. */
export function isBlank(hand: Hand): boolean {
  const { gesture, over, tool } = hand
  if (hand.hover.shown || hand.prompts().length) return false
  if (gesture.name === 'boxing' || gesture.name === 'drawing' || gesture.name === 'painting') return false
  return !over || (tool !== 'brush' && tool !== 'eraser')
}

/** What the hand does right now: prompts, outlines that grow, the brush's edge, what a click would give. */
export function paintHand(context: CanvasRenderingContext2D, hand: Hand, seen: Seen, diameter: number): void {
  const view = seen.get()
  const { scale } = view
  const { gesture, over } = hand
  const { shown } = hand.hover
  if (shown) {
    const inside = inView(view, seen.photo, seen.pane)
    const border = () => drawBorder(context, shown.edges, 1.5 / scale, inside)
    haloed(context, scale, cssOf(IN_WORK), 1, border, 'square')
  }
  for (const prompt of hand.prompts()) paintPrompt(context, prompt, view)
  if (gesture.name === 'boxing') {
    paintPrompt(context, { kind: 'box', box: boxOf(gesture.from, gesture.to) }, view)
  } else if (gesture.name === 'drawing') {
    const { corners, to, adds } = gesture
    haloed(context, scale, adds ? LIGHT : CUT, 1.5, () => along(context, [...corners, to]))
    for (const { x, y } of corners) {
      haloed(context, scale, adds ? LIGHT : CUT, 3, () => context.rect(x, y, 0, 0))
    }
  } else if (gesture.name === 'painting' && gesture.shape.kind === 'area') {
    const { path, adds } = gesture.shape
    haloed(context, scale, adds ? LIGHT : CUT, 1.5, () => along(context, path))
  }
  if (over && (hand.tool === 'brush' || hand.tool === 'eraser')) {
    const erases = (hand.tool === 'eraser') !== over.isBackground
    haloed(context, scale, erases ? CUT : LIGHT, 1, () => brushEdge(context, over.at, diameter))
  }
}

/** The very pixels that the brush would paint. */
function brushEdge(context: CanvasRenderingContext2D, at: ImagePoint, diameter: number): void {
  const { top, lefts, rights } = stampOf(diameter)
  const [x, y] = anchorOf(at, diameter)
  const right = rights.flatMap((reach, row) => [
    { x: x + reach, y: y + top + row },
    { x: x + reach, y: y + top + row + 1 },
  ])
  const left = lefts.flatMap((reach, row) => [
    { x: x + reach, y: y + top + row },
    { x: x + reach, y: y + top + row + 1 },
  ])
  along(context, [...right, ...left.reverse()])
  context.closePath()
}
