import type { Prompt } from '@/shared/geometry/modelFrame'
import { boxOf, type ImagePoint } from '@/shared/geometry/points'
import { done, type Tool } from './machine'

export type PromptState =
  | { name: 'idle' }
  | { name: 'pointing'; from: ImagePoint; means: 'foreground' | 'background' }
  | { name: 'boxing'; from: ImagePoint; to: ImagePoint }

/** A click is a point, a drag is a box. A box thinner than a pixel was a shaky click: it becomes the point it began as. */
export const promptTool: Tool<PromptState, Prompt> = {
  idle: { pointerDown: (_, { at, means }) => ({ name: 'pointing', from: at, means }) },
  pointing: {
    // With the background button nothing is boxed: there are no boxes that take away.
    pointerMove: (own, { at, isDrag }) =>
      isDrag && own.means === 'foreground' ? { name: 'boxing', from: own.from, to: at } : own,
    pointerUp: ({ from, means }) => done(pointAt(from, means)),
  },
  boxing: {
    pointerMove: (own, { at }) => ({ ...own, to: at }),
    pointerUp: ({ from }, { at }) => {
      const box = boxOf(from, at)
      const isThin = box[2] - box[0] < 1 || box[3] - box[1] < 1
      return done(isThin ? pointAt(from, 'foreground') : { kind: 'box', box })
    },
  },
}

function pointAt(at: ImagePoint, means: 'foreground' | 'background'): Prompt {
  return { kind: 'point', at, label: means === 'foreground' ? 1 : 0 }
}
