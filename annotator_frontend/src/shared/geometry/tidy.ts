import { type Prompt, photoCells, scaleToModel } from './modelFrame'
import type { Size } from './points'
import { regionsOf, SMALL_SHARE } from './regions'

/** What becomes of a logit of exactly 0 that changes sides. */
const LEAST = 1e-3

/**
 * An answer without specks: its islands and holes of less than a hundredth of the mask change sides, but for those that somebody clicked
 * on, that reach the photo's edge, and for the largest island. The same rule as `engine/inference/tidying.py`.
 *
 * @param logits of the padded square model frame, `side` x `side`; they stay as they are.
 * @param size of the photo, or of the part of it that was looked at, whose prompts these are.
 * @param inputSide of the square that the encoder takes.
 */
export function tidied(
  logits: Float32Array,
  side: number,
  size: Size,
  inputSide: number,
  prompts: readonly Prompt[],
): Float32Array {
  const result = logits.slice()
  const scale = scaleToModel(size, inputSide, side)
  const [rows, columns] = photoCells(size, inputSide, side)
  const inside = new Uint8Array(rows * columns)
  let area = 0
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (logits[y * side + x]! > 0) area += inside[y * columns + x] = 1
    }
  }

  /** Specks of one value change sides; returns how many cells that were. */
  const turn = (value: 0 | 1) => {
    const {
      rows: ys,
      starts,
      ends,
      region,
      areas,
      isOpen,
    } = regionsOf(inside, columns, rows, value, value === 1)
    const largest = value ? areas.reduce((most, own) => Math.max(most, own), 0) : Infinity
    const specks = areas.map((own, part) => own < SMALL_SHARE * area && own < largest && !isOpen[part])
    if (!specks.includes(true)) return 0
    const clicked = cellsRead(prompts, value, scale, rows, columns)
    ys.forEach((y, run) => {
      const [from, to] = [y * columns + starts[run]!, y * columns + ends[run]!]
      if (clicked.some(cell => from <= cell && cell < to)) specks[region[run]!] = false
    })
    let turned = 0
    ys.forEach((y, run) => {
      if (!specks[region[run]!]) return
      for (let x = starts[run]!; x < ends[run]!; x++, turned++) {
        const at = y * side + x
        result[at] = value ? -result[at]! : Math.max(-result[at]!, LEAST)
        inside[y * columns + x] = 1 - value
      }
    })
    return turned
  }

  area -= turn(1)
  turn(0)
  return result
}

/** The four cells that are read for each pixel clicked with this label; see `logitsToMask`. */
function cellsRead(
  prompts: readonly Prompt[],
  label: 0 | 1,
  { down, across }: { down: number; across: number },
  rows: number,
  columns: number,
): number[] {
  const first = (place: number, scale: number) =>
    Math.max(0, Math.floor((Math.floor(place) + 0.5) * scale - 0.5))
  return prompts.flatMap(prompt => {
    if (prompt.kind !== 'point' || prompt.label !== label) return []
    const [row, column] = [first(prompt.at.y, down), first(prompt.at.x, across)]
    return [0, 1].flatMap(down =>
      [0, 1].map(right => Math.min(row + down, rows - 1) * columns + Math.min(column + right, columns - 1)),
    )
  })
}
