/** In pixels of the upright photo, from its top-left corner: the first pixel's middle is (0.5, 0.5). */
export interface ImagePoint {
  x: number
  y: number
}

/** (x0, y0, x1, y1), far edges excluded. */
export type Box = readonly [number, number, number, number]

/** In pixels. */
export interface Size {
  height: number
  width: number
}

export function boxOf(from: ImagePoint, to: ImagePoint): Box {
  return [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.max(from.x, to.x), Math.max(from.y, to.y)]
}

/** Moved to the nearest place inside the photo. */
export function clampPoint({ x, y }: ImagePoint, { height, width }: Size): ImagePoint {
  return { x: Math.min(Math.max(x, 0), width), y: Math.min(Math.max(y, 0), height) }
}
