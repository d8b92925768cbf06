import type { Bitmask } from './bitmask'
import type { ImagePoint } from './points'

/** Larger than any distance, and small enough to be squared. */
const FAR = 1e6

/**
 * Of each pixel that is 1 the squared distance to the nearest that is 0, from middle to middle; of each 0 none. Exact, in time
 * that grows with the pixels alone (Felzenszwalb and Huttenlocher 2012).
 *
 * @param isOutside what lies around the rectangle is 0.
 */
export function squaredDistances(
  bits: Uint8Array,
  width: number,
  height: number,
  isOutside: boolean,
): Float64Array {
  const out = new Float64Array(width * height)
  const beyond = isOutside ? 0 : FAR
  // Along columns first.
  for (let x = 0; x < width; x++) {
    let since = beyond
    for (let at = x; at < out.length; at += width) out[at] = since = bits[at] ? Math.min(since + 1, FAR) : 0
    since = beyond
    for (let at = out.length - width + x; at >= 0; at -= width) {
      since = bits[at] ? Math.min(since + 1, FAR) : 0
      out[at] = Math.min(out[at]!, since) ** 2
    }
  }
  // Along a row each column is a parabola; what counts is the lowest one. The edges are columns of zeros.
  const [places, from] = [new Float64Array(width + 2), new Float64Array(width + 3)]
  const heights = new Float64Array(width + 2)
  const [first, end] = isOutside ? [-1, width + 1] : [0, width]
  for (let row = 0; row < out.length; row += width) {
    let last = -1
    for (let place = first; place < end; place++) {
      const least = place < 0 || place === width ? 0 : out[row + place]!
      let start = Number.NEGATIVE_INFINITY
      for (; last >= 0; last--) {
        const other = places[last]!
        start = (least + place * place - heights[last]! - other * other) / (2 * (place - other))
        if (start > from[last]!) break
        start = Number.NEGATIVE_INFINITY
      }
      last++
      places[last] = place
      heights[last] = least
      from[last] = start
    }
    from[last + 1] = Number.POSITIVE_INFINITY
    for (let x = 0, lowest = 0; x < width; x++) {
      while (from[lowest + 1]! < x) lowest++
      const away = x - places[lowest]!
      out[row + x] = away * away + heights[lowest]!
    }
  }
  return out
}

/** The middle of the pixel that is farthest from the mask's border; null: the mask is empty. As `engine.innermost_point`. */
export function innermostPoint({ box: [x0, y0, x1, y1], bits }: Bitmask): ImagePoint | null {
  const width = x1 - x0
  const distances = squaredDistances(bits, width, y1 - y0, true)
  let best = -1
  for (let at = 0; at < distances.length; at++) {
    if (distances[at]! > (best < 0 ? 0 : distances[best]!)) best = at
  }
  return best < 0 ? null : { x: x0 + (best % width) + 0.5, y: y0 + Math.floor(best / width) + 0.5 }
}
