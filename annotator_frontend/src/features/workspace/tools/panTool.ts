import type { Box, ImagePoint } from '@/shared/geometry/points'

/** What the window shows of the photo: screen = photo * scale + offset, in CSS pixels. */
export interface View {
  scale: number
  offsetX: number
  offsetY: number
}

export interface Extent {
  width: number
  height: number
}

const MARGIN_PX = 24
const LARGEST_SCALE = 40

/** The whole photo, in the middle; small photos are not blown up beyond 4x. */
export function fitted(photo: Extent, pane: Extent): View {
  const room = {
    width: Math.max(pane.width - 2 * MARGIN_PX, 1),
    height: Math.max(pane.height - 2 * MARGIN_PX, 1),
  }
  const scale = Math.min(room.width / photo.width, room.height / photo.height, 4)
  return {
    scale,
    offsetX: (pane.width - photo.width * scale) / 2,
    offsetY: (pane.height - photo.height * scale) / 2,
  }
}

/** Larger or smaller, with the place under the cursor where it was. */
export function zoomed(view: View, factor: number, at_screen: ImagePoint, photo: Extent, pane: Extent): View {
  const smallest = Math.min(fitted(photo, pane).scale, 1) / 2
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST_SCALE)
  const ratio = scale / view.scale
  return {
    scale,
    offsetX: at_screen.x - (at_screen.x - view.offsetX) * ratio,
    offsetY: at_screen.y - (at_screen.y - view.offsetY) * ratio,
  }
}

/**
 * A pixel of the photo on each pixel of the screen, with the middle where it was.
 *
 * @param ratio pixels of the screen to one of the page.
 */
export function actual(view: View, pane: Extent, ratio: number): View {
  const scale = 1 / ratio
  const offset = (middle: number, before: number) =>
    Math.round((middle - ((middle - before) * scale) / view.scale) * ratio) / ratio
  return {
    scale,
    offsetX: offset(pane.width / 2, view.offsetX),
    offsetY: offset(pane.height / 2, view.offsetY),
  }
}

/** The part of the photo that the window shows, in whole pixels. */
export function inView(view: View, photo: Extent, pane: Extent): Box {
  const from = toPhoto(view, { x: 0, y: 0 })
  const to = toPhoto(view, { x: pane.width, y: pane.height })
  return [
    Math.max(0, Math.floor(from.x)),
    Math.max(0, Math.floor(from.y)),
    Math.min(photo.width, Math.ceil(to.x)),
    Math.min(photo.height, Math.ceil(to.y)),
  ]
}

export function panned(view: View, dx_screen: number, dy_screen: number): View {
  return { ...view, offsetX: view.offsetX + dx_screen, offsetY: view.offsetY + dy_screen }
}

export function toPhoto(view: View, at_screen: ImagePoint): ImagePoint {
  return { x: (at_screen.x - view.offsetX) / view.scale, y: (at_screen.y - view.offsetY) / view.scale }
}
