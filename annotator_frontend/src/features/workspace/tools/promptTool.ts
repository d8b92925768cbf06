import type { Prompt } from '@/shared/geometry/modelFrame'
import { type Box, boxOf, type ImagePoint } from '@/shared/geometry/points'
import { done, type PromptHandle, type Tool } from './machine'

export type PromptState =
  | { name: 'idle' }
  | { name: 'pointing'; from: ImagePoint; means: 'foreground' | 'background' }
  | { name: 'boxing'; from: ImagePoint; to: ImagePoint }
  | { name: 'holding'; handle: PromptHandle; from: ImagePoint; to: ImagePoint; isMoved: boolean }

/** A prompt that is there is dragged to another place, or, clicked, taken away. */
export interface PromptChange {
  kind: 'change'
  handle: PromptHandle
  from: ImagePoint
  /** null: taken away. */
  to: ImagePoint | null
}

/**
 * A click is a point, a drag is a box. A box thinner than a pixel was a shaky click: it becomes the point it began as. On a
 * prompt, a click takes it away and a drag moves it.
 */
export const promptTool: Tool<PromptState, Prompt | PromptChange> = {
  idle: {
    pointerDown: (_, { at, means, on }) =>
      on
        ? { name: 'holding', handle: on, from: at, to: at, isMoved: false }
        : { name: 'pointing', from: at, means },
  },
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
      return done(isThin(box) ? pointAt(from, 'foreground') : { kind: 'box', box })
    },
  },
  holding: {
    pointerMove: (own, { at, isDrag }) => (isDrag ? { ...own, to: at, isMoved: true } : own),
    pointerUp: ({ handle, from, isMoved }, { at }) =>
      done({ kind: 'change', handle, from, to: isMoved ? at : null }),
  },
}

function pointAt(at: ImagePoint, means: 'foreground' | 'background'): Prompt {
  return { kind: 'point', at, label: means === 'foreground' ? 1 : 0 }
}

function isThin(box: Box): boolean {
  return box[2] - box[0] < 1 || box[3] - box[1] < 1
}

const CORNERS = [
  [0, 1],
  [2, 1],
  [2, 3],
  [0, 3],
] as const

/** The prompt under a place, the one made last first. A box is held by its edges: inside it there is room for clicks. */
export function handleAt(
  prompts: readonly Prompt[],
  { x, y }: ImagePoint,
  reach: number,
): PromptHandle | null {
  for (let index = prompts.length - 1; index >= 0; index--) {
    const prompt = prompts[index]!
    if (prompt.kind === 'point' && Math.hypot(prompt.at.x - x, prompt.at.y - y) <= reach) {
      return { index, corner: null }
    }
  }
  for (const [index, prompt] of prompts.entries()) {
    if (prompt.kind !== 'box') continue
    const { box } = prompt
    const corner = CORNERS.findIndex(([i, j]) => Math.hypot(box[i] - x, box[j] - y) <= reach)
    if (corner >= 0) return { index, corner: corner as 0 | 1 | 2 | 3 }
    const isBeside = x >= box[0] - reach && x <= box[2] + reach && y >= box[1] - reach && y <= box[3] + reach
    const near = Math.min(...[x - box[0], x - box[2], y - box[1], y - box[3]].map(Math.abs))
    if (isBeside && near <= reach / 2) return { index, corner: null }
  }
  return null
}

/** A prompt as it is when its handle is dragged. It stays on the photo and keeps a size. */
export function dragged(
  prompt: Prompt,
  { corner }: PromptHandle,
  from: ImagePoint,
  to: ImagePoint,
  photo: { width: number; height: number },
): Prompt {
  const [dx, dy] = [to.x - from.x, to.y - from.y]
  const within = (value: number, most: number) => Math.min(Math.max(value, 0), most)
  if (prompt.kind === 'point') {
    const { x, y } = prompt.at
    return { ...prompt, at: { x: within(x + dx, photo.width), y: within(y + dy, photo.height) } }
  }
  if (prompt.kind !== 'box') return prompt
  const [x0, y0, x1, y1] = prompt.box
  if (corner === null) {
    const [left, top] = [within(x0 + dx, photo.width - (x1 - x0)), within(y0 + dy, photo.height - (y1 - y0))]
    return { kind: 'box', box: [left, top, left + x1 - x0, top + y1 - y0] }
  }
  const [i, j] = CORNERS[corner]
  const moved = { x: within(prompt.box[i] + dx, photo.width), y: within(prompt.box[j] + dy, photo.height) }
  const box = boxOf({ x: i === 0 ? x1 : x0, y: j === 1 ? y1 : y0 }, moved)
  return isThin(box) ? prompt : { kind: 'box', box }
}
