import type { Extent, View } from '../tools/panTool'

/** A blank canvas of the window's size; its context speaks photo pixels. It is seen from now on. */
export function begin(canvas: HTMLCanvasElement, view: View, pane: Extent): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1
  const [width, height] = [Math.round(pane.width * ratio), Math.round(pane.height * ratio)]
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d')!
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.clearRect(0, 0, width, height)
  const scale = view.scale * ratio
  context.setTransform(scale, 0, 0, scale, view.offsetX * ratio, view.offsetY * ratio)
  canvas.style.visibility = 'visible'
  return context
}

/** Nothing is to be seen on it: out of sight, it costs nothing at all, neither wiped nor put on the screen. */
export function hide(canvas: HTMLCanvasElement): void {
  if (canvas.style.visibility !== 'hidden') canvas.style.visibility = 'hidden'
}
