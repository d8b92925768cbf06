import { type Bitmask, cropped } from '@/shared/geometry/bitmask'

/** Masks as rows of signs, and sets of pixels: slow, and so simple that they can be read. */
export function mask(...rows: string[]): Bitmask {
  const bits = Uint8Array.from(rows.join(''), sign => (sign === '#' ? 1 : 0))
  return cropped(bits, { height: rows.length, width: rows[0]!.length })
}

export function rowsOf({ size: { height, width }, box: [x0, y0, x1, y1], bits }: Bitmask): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const isIn = x >= x0 && x < x1 && y >= y0 && y < y1
      return isIn && bits[(y - y0) * (x1 - x0) + x - x0] ? '#' : '.'
    }).join(''),
  )
}

/** The same numbers every time. */
export function numbers(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1)
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

export function noise(random: () => number, height: number, width: number, share: number): Bitmask {
  return mask(
    ...Array.from({ length: height }, () =>
      Array.from({ length: width }, () => (random() < share ? '#' : '.')).join(''),
    ),
  )
}

/** Regions by filling one pixel after the other. */
export function plainRegions(rows: string[], sign: string, diagonally: boolean): Set<string>[] {
  const left = new Set(rows.flatMap((row, y) => [...row].flatMap((s, x) => (s === sign ? [`${x},${y}`] : []))))
  const regions: Set<string>[] = []
  for (const first of left) {
    const region = new Set<string>()
    const next = [first]
    left.delete(first)
    while (next.length) {
      const pixel = next.pop()!
      region.add(pixel)
      const [x, y] = pixel.split(',').map(Number) as [number, number]
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if (!diagonally && dx && dy) continue
          const other = `${x + dx},${y + dy}`
          if (left.delete(other)) next.push(other)
        }
      }
    }
    regions.push(region)
  }
  return regions
}
