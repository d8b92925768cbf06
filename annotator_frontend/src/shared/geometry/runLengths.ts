import type { Bitmask } from './bitmask'
import type { Size } from './points'

/**
 * COCO's compressed run lengths: column by column, background first; from the third run on the difference to the run two
 * before; each number in groups of 5 bits, the lowest first, with 32 for "more follows", shifted by 48 into printable text.
 */
export function encode({ size: { height, width }, box: [x0, y0, x1, y1], bits }: Bitmask): string {
  const runs: number[] = []
  let [value, run] = [0, 0]
  const add = (bit: number, length: number) => {
    if (!length) return // only the first run may be empty
    if (bit !== value) {
      runs.push(run)
      value = bit
      run = 0
    }
    run += length
  }
  const boxWidth = x1 - x0
  add(0, x0 * height)
  for (let x = 0; x < boxWidth; x++) {
    add(0, y0)
    for (let y = 0; y < y1 - y0; y++) add(bits[y * boxWidth + x]!, 1)
    add(0, height - y1)
  }
  add(0, (width - x1) * height)
  runs.push(run)
  return compress(runs)
}

function compress(runs: readonly number[]): string {
  let text = ''
  runs.forEach((run, index) => {
    let rest = index > 2 ? run - runs[index - 2]! : run
    for (let more = true; more; ) {
      let group = rest & 31
      rest >>= 5
      more = group & 16 ? rest !== -1 : rest !== 0
      if (more) group |= 32
      text += String.fromCharCode(group + 48)
    }
  })
  return text
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
  const inside: [number, number][] = []
  let [x0, y0, x1, y1] = [width, height, 0, 0]
  let at = 0
  runs.forEach((run, index) => {
    if (index % 2 && run) {
      const [first, last] = [at, at + run - 1]
      const [left, right] = [Math.floor(first / height), Math.floor(last / height)]
      inside.push([first, run])
      x0 = Math.min(x0, left)
      x1 = Math.max(x1, right + 1)
      y0 = Math.min(y0, left === right ? first % height : 0)
      y1 = Math.max(y1, left === right ? (last % height) + 1 : height)
    }
    at += run
  })
  if (!inside.length) return { size, box: [0, 0, 0, 0], bits: new Uint8Array(0) }
  const boxWidth = x1 - x0
  const bits = new Uint8Array(boxWidth * (y1 - y0))
  for (const [first, run] of inside) {
    for (let pixel = first; pixel < first + run; pixel++) {
      bits[((pixel % height) - y0) * boxWidth + Math.floor(pixel / height) - x0] = 1
    }
  }
  return { size, box: [x0, y0, x1, y1], bits }
}
