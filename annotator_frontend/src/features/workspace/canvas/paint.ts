import { type Bitmask, edgesOf } from '@/shared/geometry/bitmask'
import type { View } from '../tools/panTool'

/** A mask made ready for painting: a picture of its inside and its border. Kept as long as the mask is. */
interface Painted {
  inside: Map<string, HTMLCanvasElement>
  border: Path2D
}

const painted = new WeakMap<Bitmask, Painted>()

function ready(mask: Bitmask): Painted {
  let own = painted.get(mask)
  if (!own) {
    const border = new Path2D()
    const edges = edgesOf(mask)
    for (let i = 0; i < edges.length; i += 4) {
      border.moveTo(edges[i]!, edges[i + 1]!)
      border.lineTo(edges[i + 2]!, edges[i + 3]!)
    }
    own = { inside: new Map(), border }
    painted.set(mask, own)
  }
  return own
}

function insideOf(mask: Bitmask, colour: string): HTMLCanvasElement | null {
  const [x0, y0, x1, y1] = mask.box
  if (x1 <= x0 || y1 <= y0) return null
  const { inside } = ready(mask)
  let canvas = inside.get(colour)
  if (!canvas) {
    canvas = document.createElement('canvas')
    canvas.width = x1 - x0
    canvas.height = y1 - y0
    const context = canvas.getContext('2d')!
    const pixels = context.createImageData(canvas.width, canvas.height)
    for (let i = 0; i < mask.bits.length; i++) if (mask.bits[i]) pixels.data[4 * i + 3] = 255
    context.putImageData(pixels, 0, 0)
    context.globalCompositeOperation = 'source-in'
    context.fillStyle = colour
    context.fillRect(0, 0, canvas.width, canvas.height)
    inside.set(colour, canvas)
  }
  return canvas
}

export interface MaskStyle {
  colour: string
  opacity: number
  lineWidth: number
  dashed?: boolean
}

/** Fill the canvas' pixels; the context then speaks photo pixels. */
export function begin(canvas: HTMLCanvasElement, view: View): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)]
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d')!
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.clearRect(0, 0, width, height)
  const scale = view.scale * ratio
  context.setTransform(scale, 0, 0, scale, view.offsetX * ratio, view.offsetY * ratio)
  return context
}

/** A tint and a border with a dark halo, so that it shows on any photo. */
export function paintMask(
  context: CanvasRenderingContext2D,
  mask: Bitmask,
  view: View,
  style: MaskStyle,
): void {
  const inside = insideOf(mask, style.colour)
  if (!inside) return
  context.globalAlpha = style.opacity
  context.imageSmoothingEnabled = view.scale < 1
  context.drawImage(inside, mask.box[0], mask.box[1])
  context.globalAlpha = 1
  const { border } = ready(mask)
  context.lineJoin = context.lineCap = 'round'
  context.setLineDash(style.dashed ? [6 / view.scale, 4 / view.scale] : [])
  context.strokeStyle = 'rgb(8 12 18 / 0.75)'
  context.lineWidth = (style.lineWidth + 2) / view.scale
  context.stroke(border)
  context.strokeStyle = style.colour
  context.lineWidth = style.lineWidth / view.scale
  context.stroke(border)
  context.setLineDash([])
}
