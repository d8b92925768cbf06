import { boxOfTiles, Painter, type Patched } from '@/shared/geometry/patched'
import type { Box, ImagePoint } from '@/shared/geometry/points'
import { polygonSpans, strokeSpans } from '@/shared/geometry/strokes'

/** What a hand draws: a brush's stroke, or the outline of an area. It adds pixels, or takes them away. */
export type Shape = { adds: boolean; path: readonly ImagePoint[] } & (
  | { kind: 'stroke'; diameter: number }
  | { kind: 'area' }
)

/** A shape that the hand is still at. */
export class LiveShape {
  private readonly path: readonly ImagePoint[]
  private readonly painter: Painter
  private drawn = 0

  /** @param onto what it is painted on, which stays as it is. */
  constructor(
    private readonly shape: Shape,
    private readonly onto: Patched,
  ) {
    this.path = shape.path
    this.painter = new Painter(onto)
  }

  /** Whether it is this shape, which may have grown since. */
  is({ path }: Shape): boolean {
    return path === this.path
  }

  /** The same shape, all of it that is there, on other pixels. */
  movedOnto(onto: Patched): LiveShape {
    const moved = new LiveShape(this.shape, onto)
    moved.grow(this.shape)
    return moved
  }

  /** Paint what has come to its path. */
  grow(shape: Shape): void {
    const { path } = shape
    const value = shape.adds ? 1 : 0
    const span = (y: number, x0: number, x1: number) => this.painter.span(y, x0, x1, value)
    if (shape.kind === 'area') {
      if (path.length > 2) polygonSpans(path, this.onto.size.height, span)
      return
    }
    for (; this.drawn < path.length; this.drawn++) {
      strokeSpans(path[Math.max(this.drawn - 1, 0)]!, path[this.drawn]!, shape.diameter, span)
    }
  }

  pixels(): Patched {
    return this.painter.look()
  }

  /** The pixels once the hand has let go. */
  finish(): Patched {
    return this.painter.finish()
  }

  /** What it has touched since this was asked last. */
  takeTouched(): Box | null {
    return boxOfTiles(this.painter.takeDirty(), this.onto.size)
  }
}
