/**
 * float16 as it lies in memory, to float32. By table: browsers that lack Float16Array are still about.
 *
 * @param room of as many numbers, to put them into.
 */
export function floatsOf(
  half: ArrayBuffer,
  room = new Float32Array(half.byteLength / 2),
): Float32Array<ArrayBuffer> {
  const bits = new Uint16Array(half)
  for (let i = 0; i < bits.length; i++) room[i] = table()[bits[i]!]!
  return room
}

let made: Float32Array | undefined

function table(): Float32Array {
  if (made) return made
  made = new Float32Array(1 << 16)
  for (let bits = 0; bits < 1 << 16; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0) made[bits] = sign * fraction * 2 ** -24
    else if (exponent === 0x1f) made[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    else made[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return made
}

const single = new Float32Array(1)
const bitsOf = new Uint32Array(single.buffer)

/** float32 to float16 as it lies in memory, rounded to the nearest, ties to even; beyond its range, infinite. */
export function halvesOf(floats: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(floats, value => {
    single[0] = value
    const bits = bitsOf[0]!
    const sign = (bits >>> 16) & 0x8000
    const magnitude = bits & 0x7fffffff
    if (magnitude > 0x7f800000) return sign | 0x7e00
    if (magnitude >= 0x477ff000) return sign | 0x7c00
    // Below the smallest normal number steps are of one size, 2 ** -24.
    if (magnitude < 0x38800000) return sign | evenlyRounded(Math.abs(value) * 2 ** 24)
    const dropped = magnitude & 0x1fff
    const kept = (magnitude - 0x38000000) >>> 13
    return sign | (kept + (dropped > 0x1000 || (dropped === 0x1000 && kept & 1) ? 1 : 0))
  })
}

function evenlyRounded(value: number): number {
  const down = Math.floor(value)
  const rest = value - down
  return rest > 0.5 || (rest === 0.5 && down % 2) ? down + 1 : down
}
