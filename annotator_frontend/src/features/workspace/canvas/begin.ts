import type { View } from '../tools/panTool'

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
