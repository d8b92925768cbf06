import type { Prompt } from './modelFrame'
import type { Size } from './points'
import { regionsOf, SMALL_SHARE } from './regions'

/** What becomes of a logit of exactly 0 that changes sides. */
const LEAST = 1e-3

/**
 * An answer without specks: its islands and holes of less than a hundredth of the mask change sides, but for those that somebody clicked
 * on, and for the largest island. The same rule as `engine/inference/tidying.py`.
 *
 * @param logits of the padded square model frame, `side` x `side`; they stay as they are.
 * @param prompts in the frame of a photo of this size.
 */
export function tidied(
  logits: Float32Array,
  side: number,
  size: Size,
  prompts: readonly Prompt[],
): Float32Array {
  const scale = side / Math.max(size.height, size.width)
  const cell = (place: number) => Math.min(Math.floor(place * scale), side - 1)
  const clickedAs = (label: 0 | 1) =>
    prompts.flatMap(prompt => (prompt.kind === 'point' && prompt.label === label ? [prompt.at] : []))
  const result = logits.slice()
  const inside = Uint8Array.from(logits, value => Number(value > 0))
  const area = inside.reduce((sum, value) => sum + value, 0)

  /** Cells of one value change sides where they make up a speck. */
  const turn = (value: 0 | 1, isSpeck: (part: number, areas: number[], isOpen: boolean[]) => boolean) => {
    const { rows, starts, ends, region, areas, isOpen } = regionsOf(inside, side, side, value, value === 1)
    const specks = areas.map((_, part) => isSpeck(part, areas, isOpen))
    for (const { x, y } of clickedAs(value)) {
      const [column, row] = [cell(x), cell(y)]
      const own = rows.findIndex((at, run) => at === row && starts[run]! <= column && column < ends[run]!)
      if (own >= 0) specks[region[own]!] = false
    }
    let turned = 0
    rows.forEach((y, run) => {
      if (!specks[region[run]!]) return
      for (let at = y * side + starts[run]!; at < y * side + ends[run]!; at++) {
        result[at] = value ? -result[at]! : Math.max(-result[at]!, LEAST)
        inside[at] = 1 - value
        turned++
      }
    })
    return turned
  }

  const gone = turn(
    1,
    (part, areas) => areas[part]! < SMALL_SHARE * area && areas[part]! < Math.max(...areas),
  )
  turn(0, (part, areas, isOpen) => !isOpen[part] && areas[part]! < SMALL_SHARE * (area - gone))
  return result
}
