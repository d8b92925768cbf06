import type { Box } from '@/shared/geometry/points'
import { drawMask, type Plate, type Shapes } from './plate'
import type { Scene, ToPainter } from './protocol'
import type { Pyramid } from './pyramid'

export type Canvas = OffscreenCanvas | HTMLCanvasElement
export type Context = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D

/** Pixels of the photo are seen as squares from here on; a little later they get a grid. */
const SQUARES_FROM_SCALE = 2
const GRID_FROM_SCALE = 14

/** What of the photo is seen; nothing where it is not there yet. */
export function drawPhoto(context: Context, pyramid: Pyramid | undefined, { view, ratio }: Scene): void {
  const { width, height } = context.canvas
  context.clearRect(0, 0, width, height)
  if (!pyramid) return
  const scale = view.scale * ratio
  const [left, top] = [Math.round(view.offsetX * ratio), Math.round(view.offsetY * ratio)]
  const level = pyramid.for(scale)
  const [perX, perY] = [pyramid.width / level.width, pyramid.height / level.height]
  // Only what is seen, with a pixel more around it.
  const x0 = Math.max(0, Math.floor(-left / scale / perX) - 1)
  const y0 = Math.max(0, Math.floor(-top / scale / perY) - 1)
  const x1 = Math.min(level.width, Math.ceil((width - left) / scale / perX) + 1)
  const y1 = Math.min(level.height, Math.ceil((height - top) / scale / perY) + 1)
  if (x0 >= x1 || y0 >= y1) return
  context.imageSmoothingEnabled = view.scale < SQUARES_FROM_SCALE
  context.imageSmoothingQuality = 'low'
  const [stepX, stepY] = [perX * scale, perY * scale]
  context.drawImage(
    level,
    x0,
    y0,
    x1 - x0,
    y1 - y0,
    left + x0 * stepX,
    top + y0 * stepY,
    (x1 - x0) * stepX,
    (y1 - y0) * stepY,
  )
}

/** What lies over the masks: all but the part that is looked at darker, and the pixels' grid where they are large. */
export function drawOver(context: Context, pyramid: Pyramid, { view, ratio, region }: Scene): void {
  const { width, height } = context.canvas
  const scale = view.scale * ratio
  const [left, top] = [Math.round(view.offsetX * ratio), Math.round(view.offsetY * ratio)]
  if (region) dimAround(context, region, [left, top, scale], pyramid)
  if (view.scale < GRID_FROM_SCALE) return
  const inside: Box = [
    Math.max(0, Math.floor(-left / scale)),
    Math.max(0, Math.floor(-top / scale)),
    Math.min(pyramid.width, Math.ceil((width - left) / scale)),
    Math.min(pyramid.height, Math.ceil((height - top) / scale)),
  ]
  drawGrid(context, inside, left, top, scale)
}

/** A square picture of a mask and a little of the photo around it. */
export function thumbnailOf(
  pyramid: Pyramid,
  shapes: Shapes,
  { side, colour }: Pick<Extract<ToPainter, { kind: 'thumbnail' }>, 'side' | 'colour'>,
): Promise<Blob | null> {
  const [x0, y0, x1, y1] = shapes.box
  const seen = 1.25 * Math.max(x1 - x0, y1 - y0, 8) // photo pixels, square
  const scale = side / seen
  const left = ((x0 + x1 - seen) / 2) * scale
  const top = ((y0 + y1 - seen) / 2) * scale
  const canvas = newCanvas(side, side)
  const context = canvas.getContext('2d') as Context
  const level = pyramid.for(scale)
  context.drawImage(level, -left, -top, pyramid.width * scale, pyramid.height * scale)
  const image = context.getImageData(0, 0, side, side)
  const plate: Plate = { width: side, height: side, scale, left, top, data: image.data }
  drawMask(plate, shapes, { colour, fill: 0.35, line: 1 }, [0, 0, side, side])
  context.putImageData(image, 0, 0)
  return fileOf(canvas)
}

function fileOf(canvas: Canvas): Promise<Blob | null> {
  if (!('toBlob' in canvas)) return canvas.convertToBlob()
  return new Promise(resolve => canvas.toBlob(resolve))
}

export function newCanvas(width: number, height: number): Canvas {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(width, height)
  return Object.assign(document.createElement('canvas'), { width, height })
}

function drawGrid(context: Context, [x0, y0, x1, y1]: Box, left: number, top: number, scale: number): void {
  const [from, to] = [left + x0 * scale, top + y0 * scale]
  for (const [style, shift] of [
    ['rgb(0 0 0 / 0.3)', 0],
    ['rgb(255 255 255 / 0.16)', 1],
  ] as const) {
    context.fillStyle = style
    for (let x = x0; x <= x1; x++)
      context.fillRect(Math.round(left + x * scale) + shift, to, 1, (y1 - y0) * scale)
    for (let y = y0; y <= y1; y++)
      context.fillRect(from, Math.round(top + y * scale) + shift, (x1 - x0) * scale, 1)
  }
}

/** The photo outside a part of it, darker, with a line between. */
function dimAround(
  context: Context,
  [x0, y0, x1, y1]: Box,
  [left, top, scale]: readonly [number, number, number],
  { width, height }: { width: number; height: number },
): void {
  context.beginPath()
  context.rect(left, top, width * scale, height * scale)
  context.rect(left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale)
  context.fillStyle = 'rgb(8 12 18 / 0.5)'
  context.fill('evenodd')
  context.strokeStyle = 'rgb(255 255 255 / 0.7)'
  context.lineWidth = 1
  context.strokeRect(
    Math.round(left + x0 * scale) + 0.5,
    Math.round(top + y0 * scale) + 0.5,
    (x1 - x0) * scale,
    (y1 - y0) * scale,
  )
}
