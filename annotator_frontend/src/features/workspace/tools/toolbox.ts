import { createStore } from 'zustand/vanilla'

export const TOOLS = ['prompt', 'brush', 'eraser', 'polygon', 'lasso', 'select'] as const
export type ToolName = (typeof TOOLS)[number]

const LARGEST_PX = 400

export interface Toolbox {
  tool: ToolName
  /** Of brush and eraser, in the photo's pixels: what is painted is the same at every zoom. */
  diameter: number
  /** Whether resting over the photo shows what a click would give. */
  isHoverOn: boolean
}

/** The next size of a brush: by an eighth, and by a pixel at least. */
export function resized(diameter: number, by: 1 | -1): number {
  const step = Math.max(1, Math.round(diameter / 8))
  return Math.min(Math.max(diameter + by * step, 1), LARGEST_PX)
}

export function newToolbox(remembered: Partial<Toolbox> = {}) {
  return createStore<Toolbox>(() => ({ tool: 'prompt', diameter: 24, isHoverOn: true, ...remembered }))
}

export type ToolboxStore = ReturnType<typeof newToolbox>
