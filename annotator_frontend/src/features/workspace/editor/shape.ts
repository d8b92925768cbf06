import type { Painter } from '@/shared/geometry/patched'
import type { ImagePoint, Size } from '@/shared/geometry/points'
import { polygonSpans, strokeSpans } from '@/shared/geometry/strokes'

/** What a hand draws: a brush's stroke, or the outline of an area. It adds pixels, or takes them away. */
export type Shape = { adds: boolean; path: readonly ImagePoint[] } & (
  | { kind: 'stroke'; diameter: number }
  | { kind: 'area' }
)

/** Paint what has come to a shape since `drawn` places of its path were; returns how many are drawn now. */
export function paintOnto(painter: Painter, shape: Shape, drawn: number, { height }: Size): number {
  const { path } = shape
  const value = shape.adds ? 1 : 0
  const span = (y: number, x0: number, x1: number) => painter.span(y, x0, x1, value)
  if (shape.kind === 'area') {
    if (path.length > 2) polygonSpans(path, height, span)
    return path.length
  }
  for (let i = drawn; i < path.length; i++) {
    strokeSpans(path[Math.max(i - 1, 0)]!, path[i]!, shape.diameter, span)
  }
  return path.length
}
