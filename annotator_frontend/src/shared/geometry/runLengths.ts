import type { Bitmask } from './bitmask'
import type { Size } from './points'
import { runsOf, turnsDown } from './rowRuns'

/**
 * COCO's compressed run lengths: column by column, background first; from the third run on the difference to the run two
 * before; each number in groups of 5 bits, the lowest first, with 32 for "more follows", shifted by 48 into printable text.
 */
export function encode(mask: Bitmask): string {
  let counts = known.get(mask)
  if (counts === undefined) {
    counts = compress(countsOf(mask))
    known.set(mask, counts)
  }
  return counts
}

/** Masks do not change: each is encoded once. */
const known = new WeakMap<Bitmask, string>()

function countsOf(mask: Bitmask): number[] {
  const { height, width } = mask.size
  const turns = turnsDown(runsOf(mask), mask.size)
  const runs: number[] = []
  let from = 0
  for (let i = 0; i < turns.length; i++) {
    const turn = turns[i]!
    // One column ends inside at the photo's lower edge, the next begins inside at the upper one: the run goes on.
    if (turn === turns[i + 1]) i++
    else {
      runs.push(turn - from)
      from = turn
    }
  }
  if (from < height * width) runs.push(height * width - from)
  return runs
}

function compress(runs: readonly number[]): string {
  const letters: number[] = []
  runs.forEach((run, index) => {
    let rest = index > 2 ? run - runs[index - 2]! : run
    for (let more = true; more; ) {
      let group = rest & 31
      rest >>= 5
      more = group & 16 ? rest !== -1 : rest !== 0
      if (more) group |= 32
      letters.push(group + 48)
    }
  })
  // Not letter by letter: a text that grows so is a chain of its letters in memory.
  return new TextDecoder().decode(Uint8Array.from(letters))
}

function decompress(text: string): number[] {
  const runs: number[] = []
  for (let at = 0; at < text.length; ) {
    let [value, shift, more] = [0, 0, true]
    while (more) {
      const group = text.charCodeAt(at++) - 48
      value |= (group & 31) << shift
      shift += 5
      more = (group & 32) !== 0
      if (!more && group & 16) value |= -1 << shift
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2]! : value)
  }
  return runs
}

/** @throws RangeError where the run lengths do not add up to the photo. */
export function decode(text: string, size: Size): Bitmask {
  const { height, width } = size
  const runs = decompress(text)
  if (runs.reduce((sum, run) => sum + run, 0) !== height * width) {
    throw new RangeError(`run lengths of another size than ${width} x ${height}`)
  }
  const inside: [first: number, end: number][] = []
  let [x0, y0, x1, y1] = [width, height, 0, 0]
  let at = 0
  runs.forEach((run, index) => {
    if (index % 2 && run) {
      const last = at + run - 1
      const [left, right] = [Math.floor(at / height), Math.floor(last / height)]
      inside.push([at, at + run])
      x0 = Math.min(x0, left)
      x1 = Math.max(x1, right + 1)
      y0 = Math.min(y0, left === right ? at % height : 0)
      y1 = Math.max(y1, left === right ? (last % height) + 1 : height)
    }
    at += run
  })
  if (!inside.length) return { size, box: [0, 0, 0, 0], bits: new Uint8Array(0) }
  // Each row is what the row above is, but where its columns turn: written row by row, as it lies in memory.
  const turns: number[][] = Array.from({ length: y1 - y0 + 1 }, () => [])
  for (const [first, end] of inside) {
    for (let from = first; from < end; ) {
      const x = Math.floor(from / height)
      const to = Math.min((x + 1) * height, end)
      turns[from - x * height - y0]!.push(x - x0)
      turns[to - x * height - y0]!.push(x - x0)
      from = to
    }
  }
  const boxWidth = x1 - x0
  const bits = new Uint8Array(boxWidth * (y1 - y0))
  for (let row = 0; row < y1 - y0; row++) {
    const start = row * boxWidth
    if (row) bits.copyWithin(start, start - boxWidth, start)
    for (const x of turns[row]!) bits[start + x]! ^= 1
  }
  return { size, box: [x0, y0, x1, y1], bits }
}
