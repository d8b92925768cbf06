import type { Box, ImagePoint, Size } from './points'

/** One thing that a person said about an object. */
export type Prompt =
  | { kind: 'point'; at: ImagePoint; label: 0 | 1 }
  | { kind: 'box'; box: Box }
  /** `token`: what the checkpoint's decoder takes the words as; empty: not asked for again. */
  | { kind: 'text'; words: string; token: readonly number[] }

/** Model pixels per photo pixel: the photo's longest side becomes the model's input side. */
export function scaleToModel({ height, width }: Size, inputSide: number): number {
  return inputSide / Math.max(height, width)
}

/**
 * Prompts as the decoder takes them: (x, y) pairs and labels (-1 padding, 0 background, 1 foreground, 2 and 3 a box's
 * corners). A point goes in as (x - 0.5) * scale, because the published prompt encoder adds 0.5 itself; a box corner as
 * corner * scale. Without a box there is one padding point at the end. The same rule as `engine/inference/frame.py`.
 */
export function toModelFrame(
  prompts: readonly Prompt[],
  scale: number,
): { coords: Float32Array; labels: Float32Array } {
  const coords: number[] = []
  const labels: number[] = []
  for (const prompt of prompts) {
    if (prompt.kind !== 'point') continue
    coords.push((prompt.at.x - 0.5) * scale, (prompt.at.y - 0.5) * scale)
    labels.push(prompt.label)
  }
  const box = prompts.find(prompt => prompt.kind === 'box')?.box
  if (box) {
    coords.push(...box.map(edge => edge * scale))
    labels.push(2, 3)
  } else {
    coords.push(0, 0)
    labels.push(-1)
  }
  return { coords: new Float32Array(coords), labels: new Float32Array(labels) }
}

/** The token of the words, as the decoder takes it: 0 or 1 of so many channels. */
export function textToken(prompts: readonly Prompt[]): Float32Array {
  return Float32Array.from(prompts.flatMap(prompt => (prompt.kind === 'text' ? prompt.token : [])))
}

/** A lone click, a lone box or lone words: three masks are offered. */
export function isAmbiguous(prompts: readonly Prompt[]): boolean {
  return prompts.length === 1
}
