import type { ImagePoint } from '@/shared/geometry/points'

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

export function panned(view: View, dx_screen: number, dy_screen: number): View {
  return { ...view, offsetX: view.offsetX + dx_screen, offsetY: view.offsetY + dy_screen }
}

export function toPhoto(view: View, at_screen: ImagePoint): ImagePoint {
  return { x: (at_screen.x - view.offsetX) / view.scale, y: (at_screen.y - view.offsetY) / view.scale }
}
