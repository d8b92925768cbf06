import { useEffect, useRef, useState } from 'react'
import { type Bitmask, edgesOf } from '@/shared/geometry/bitmask'
import type { Box } from '@/shared/geometry/points'
import classes from './review.module.css'

const COLOUR = '#ffd43b'

interface OutlineViewProps {
  /** Whose outline it is; the picture says of which one it is, once it is all there. */
  question: string
  picture: ImageBitmap | null
  mask: Bitmask
  /** The part of the photo to show, in its pixels. */
  part: Box
  label: string
  isHidden: boolean
  /** Mark where the mask is, for small ones on large photos. */
  isFramed?: boolean
}

/** A part of the photo with the outline on it, as large as there is room. */
export function OutlineView({
  question,
  picture,
  mask,
  part,
  label,
  isHidden,
  isFramed = false,
}: OutlineViewProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [size, setSize] = useState({ width: 0, height: 0 })
  useEffect(() => {
    const element = canvas.current!
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    if (!size.width) return
    paint(canvas.current!, size, { picture, mask, part, isHidden, isFramed })
    canvas.current!.dataset.painted = picture ? question : ''
  }, [question, size, picture, mask, part, isHidden, isFramed])
  return <canvas ref={canvas} className={classes.canvas} role="img" aria-label={label} />
}

type Painted = Pick<OutlineViewProps, 'picture' | 'mask' | 'part' | 'isHidden'> & { isFramed: boolean }

function paint(
  canvas: HTMLCanvasElement,
  { width, height }: { width: number; height: number },
  shown: Painted,
) {
  const { picture, mask, part, isHidden, isFramed } = shown
  const ratio = window.devicePixelRatio || 1
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) })
  const context = canvas.getContext('2d')!
  const [x0, y0, x1, y1] = part
  const scale = Math.min(canvas.width / (x1 - x0), canvas.height / (y1 - y0))
  const left = (canvas.width - (x1 - x0) * scale) / 2 - x0 * scale
  const top = (canvas.height - (y1 - y0) * scale) / 2 - y0 * scale
  context.setTransform(scale, 0, 0, scale, left, top)
  context.beginPath()
  context.rect(x0, y0, x1 - x0, y1 - y0)
  context.clip()
  context.imageSmoothingEnabled = scale < 4 // large pixels are better seen as they are
  if (picture) context.drawImage(picture, 0, 0, mask.size.width, mask.size.height)
  if (isHidden) return
  const border = new Path2D()
  const edges = edgesOf(mask)
  for (let i = 0; i < edges.length; i += 4) {
    border.moveTo(edges[i]!, edges[i + 1]!)
    border.lineTo(edges[i + 2]!, edges[i + 3]!)
  }
  context.lineCap = 'round'
  // A dark halo, so that the line shows on any photo.
  for (const [colour, px] of [
    ['rgb(0 0 0 / 0.65)', 4],
    [COLOUR, 2],
  ] as const) {
    context.strokeStyle = colour
    context.lineWidth = (px * ratio) / scale
    context.stroke(border)
  }
  if (isFramed) {
    const gap = (6 * ratio) / scale
    const [a, b, c, d] = mask.box
    context.strokeStyle = 'rgb(255 255 255 / 0.9)'
    context.lineWidth = (1.5 * ratio) / scale
    context.setLineDash([(5 * ratio) / scale, (4 * ratio) / scale])
    context.strokeRect(a - gap, b - gap, c - a + 2 * gap, d - b + 2 * gap)
  }
}

/** The surroundings of a box, with room for a quarter and more around it, inside the photo. */
export function around([x0, y0, x1, y1]: Box, size: { width: number; height: number }): Box {
  const margin = Math.max(12, 0.4 * Math.max(x1 - x0, y1 - y0))
  return [
    Math.max(0, x0 - margin),
    Math.max(0, y0 - margin),
    Math.min(size.width, x1 + margin),
    Math.min(size.height, y1 + margin),
  ]
}
