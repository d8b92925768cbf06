import type { Box, ImagePoint, Size } from './points'

/** One thing that a person said about an object. */
export type Prompt =
  | { kind: 'point'; at: ImagePoint; label: 0 | 1 }
  | { kind: 'box'; box: Box }
  /** `token`: what the checkpoint's decoder takes the words as; empty: not asked for again. */
  | { kind: 'text'; words: string; token: readonly number[] }

/** The photo's size when its longest side is the model's input side; at least one pixel. */
function fittedSize({ height, width }: Size, inputSide: number): Size {
  const scale = inputSide / Math.max(height, width)
  const rounded = (length: number) => Math.max(1, Math.floor(length * scale + 0.5))
  return { height: rounded(height), width: rounded(width) }
}

/**
 * Cells of the model's frame per pixel of the photo, down and across. Each axis has its own, because the shorter side is rounded.
 * The same rule as `engine/model/preprocessing.py`.
 *
 * @param side of the square that the cells are of, as of logits; left out: they are the pixels that the encoder takes.
 */
export function scaleToModel(
  size: Size,
  inputSide: number,
  side = inputSide,
): { down: number; across: number } {
  const fitted = fittedSize(size, inputSide)
  return {
    down: (fitted.height * side) / (inputSide * size.height),
    across: (fitted.width * side) / (inputSide * size.width),
  }
}

/** Rows and columns of the model's frame, `side` cells wide, in which there is any photo. */
export function photoCells(size: Size, inputSide: number, side: number): [number, number] {
  const { height, width } = fittedSize(size, inputSide)
  return [Math.ceil((height * side) / inputSide), Math.ceil((width * side) / inputSide)]
}

/**
 * Prompts as the decoder takes them: (x, y) pairs and labels (-1 padding, 0 background, 1 foreground, 2 and 3 a box's
 * corners). A point goes in as (x - 0.5) * scale, because the published prompt encoder adds 0.5 itself; a box corner as
 * corner * scale, and each axis has its own scale. Without a box there is one padding point at the end. The same rule as
 * `engine/inference/frame.py`.
 */
export function toModelFrame(
  prompts: readonly Prompt[],
  size: Size,
  inputSide: number,
): { coords: Float32Array; labels: Float32Array } {
  const { down, across } = scaleToModel(size, inputSide)
  const coords: number[] = []
  const labels: number[] = []
  for (const prompt of prompts) {
    if (prompt.kind !== 'point') continue
    coords.push((prompt.at.x - 0.5) * across, (prompt.at.y - 0.5) * down)
    labels.push(prompt.label)
  }
  const box = prompts.find(prompt => prompt.kind === 'box')?.box
  if (box) {
    const [x0, y0, x1, y1] = box
    coords.push(x0 * across, y0 * down, x1 * across, y1 * down)
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
