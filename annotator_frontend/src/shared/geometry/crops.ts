import type { Bitmask } from './bitmask'
import type { Prompt } from './modelFrame'
import type { Box } from './points'

/** Whether prompts lie in a part of the photo, all of them. */
export function areWithin(prompts: readonly Prompt[], [x0, y0, x1, y1]: Box): boolean {
  return prompts.every(prompt => {
    if (prompt.kind === 'text') return true
    const [left, top, right, bottom] =
      prompt.kind === 'box' ? prompt.box : [prompt.at.x, prompt.at.y, prompt.at.x, prompt.at.y]
    return left >= x0 && top >= y0 && right <= x1 && bottom <= y1
  })
}

/** A prompt as it is in the frame of a part of the photo. */
export function intoCrop(prompt: Prompt, [x0, y0]: Box): Prompt {
  if (prompt.kind === 'point') return { ...prompt, at: { x: prompt.at.x - x0, y: prompt.at.y - y0 } }
  if (prompt.kind === 'text') return prompt
  const [left, top, right, bottom] = prompt.box
  return { kind: 'box', box: [left - x0, top - y0, right - x0, bottom - y0] }
}

/** What a part of the photo has of a mask, as a mask of that part. */
export function maskIntoCrop({ box, bits }: Bitmask, [x0, y0, x1, y1]: Box): Bitmask {
  const size = { height: y1 - y0, width: x1 - x0 }
  const [left, top] = [Math.max(box[0], x0), Math.max(box[1], y0)]
  const [right, bottom] = [Math.min(box[2], x1), Math.min(box[3], y1)]
  if (left >= right || top >= bottom) return { size, box: [0, 0, 0, 0], bits: new Uint8Array(0) }
  const kept = new Uint8Array((right - left) * (bottom - top))
  for (let y = top; y < bottom; y++) {
    const from = (y - box[1]) * (box[2] - box[0]) - box[0]
    kept.set(bits.subarray(from + left, from + right), (y - top) * (right - left))
  }
  return { size, box: [left - x0, top - y0, right - x0, bottom - y0], bits: kept }
}

/** A mask of a part of the photo as a mask of the photo: what is outside that part is background. */
export function maskFromCrop({ box, bits }: Bitmask, [x0, y0]: Box, size: Bitmask['size']): Bitmask {
  if (!bits.length) return { size, box, bits }
  return { size, box: [box[0] + x0, box[1] + y0, box[2] + x0, box[3] + y0], bits }
}
