import type { ImagePoint } from '@/shared/geometry/points'
import type { Shape } from '../editor/shape'
import { done, type Tool } from './machine'

export type StrokeState = { name: 'idle' } | { name: 'painting'; shape: Shape & { path: ImagePoint[] } }

/** A brush that adds, or an eraser; the background button, or Alt, makes the one the other. */
export function brushTool(adds: boolean, diameter: () => number): Tool<StrokeState, Shape> {
  return {
    idle: {
      pointerDown: (_, { at, means }) => ({
        name: 'painting',
        shape: { kind: 'stroke', adds: adds === (means === 'foreground'), diameter: diameter(), path: [at] },
      }),
    },
    painting: {
      pointerMove: (own, { at }) => along(own, at),
      // Where the hand lets go it has been already.
      pointerUp: ({ shape }) => done(shape),
    },
  }
}

/** The path grows in place: a stroke has thousands of places, and what draws it knows how far it has come. */
function along(own: Extract<StrokeState, { name: 'painting' }>, at: ImagePoint): StrokeState {
  own.shape.path.push(at)
  return { ...own }
}

/** An area drawn round in one go; it closes where the hand lets go. A mere click is none. */
export const lassoTool: Tool<StrokeState, Shape> = {
  idle: {
    pointerDown: (_, { at, means }) => ({
      name: 'painting',
      shape: { kind: 'area', adds: means === 'foreground', path: [at] },
    }),
  },
  painting: {
    pointerMove: (own, { at }) => along(own, at),
    pointerUp: ({ shape }) => done(shape),
  },
}

export type PolygonState =
  | { name: 'idle' }
  | { name: 'drawing'; adds: boolean; corners: readonly ImagePoint[]; to: ImagePoint }

/** Corner by corner. A click on the first corner, a second click on the last one, or Enter closes it. */
export const polygonTool: Tool<PolygonState, Shape> = {
  idle: {
    pointerDown: (_, { at, means }) => ({
      name: 'drawing',
      adds: means === 'foreground',
      corners: [at],
      to: at,
    }),
  },
  drawing: {
    pointerMove: (own, { at }) => ({ ...own, to: at }),
    pointerDown: (own, { at, reach = 0 }) => {
      const { corners } = own
      const isAt = (corner: ImagePoint) => Math.hypot(corner.x - at.x, corner.y - at.y) <= reach
      if (isAt(corners[0]!) || isAt(corners.at(-1)!)) return corners.length > 2 ? closed(own) : own
      return { ...own, corners: [...corners, at], to: at }
    },
    confirm: own => (own.corners.length > 2 ? closed(own) : own),
    back: own => (own.corners.length > 1 ? { ...own, corners: own.corners.slice(0, -1) } : { name: 'idle' }),
  },
}

function closed({ adds, corners }: Extract<PolygonState, { name: 'drawing' }>) {
  return done<Shape>({ kind: 'area', adds, path: corners })
}

export interface Selection {
  kind: 'select'
  at: ImagePoint
  isMore: boolean
}

export type SelectState = { name: 'idle' } | { name: 'pressed'; at: ImagePoint; isMore: boolean }

/** A click selects the mask under it. */
export const selectTool: Tool<SelectState, Selection> = {
  idle: { pointerDown: (_, { at, isMore = false }) => ({ name: 'pressed', at, isMore }) },
  pressed: { pointerUp: ({ at, isMore }) => done({ kind: 'select', at, isMore }) },
}
