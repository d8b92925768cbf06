/** float16 as it lies in memory, to float32. By table: browsers that lack Float16Array are still about. */
export function floatsOf(half: ArrayBuffer): Float32Array<ArrayBuffer> {
  const bits = new Uint16Array(half)
  const floats = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) floats[i] = table()[bits[i]!]!
  return floats
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
