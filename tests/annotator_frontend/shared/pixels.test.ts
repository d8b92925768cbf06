import { describe, expect, test } from 'vitest'
import type { Bitmask } from '@/shared/geometry/bitmask'
import { logitsToMask, maskToLogits } from '@/shared/geometry/logits'
import {
  boxOfTiles,
  emptyMask,
  flattened,
  Painter,
  patched,
  repatched,
  TILE,
} from '@/shared/geometry/patched'
import {
  changedAt,
  difference,
  iouOf,
  partsOf,
  trimmed,
  union,
  withoutHoles,
  withoutIslands,
} from '@/shared/geometry/regions'
import { lineOf, polygonSpans, stampOf, strokeSpans } from '@/shared/geometry/strokes'
import { mask, noise, numbers, plainRegions, rowsOf } from './plain'

/** Paint on an empty photo. */
function painted(height: number, width: number, paint: (painter: Painter) => void): Bitmask {
  const painter = new Painter(patched(emptyMask({ height, width })))
  paint(painter)
  return flattened(painter.look())
}

function stroke(path: [number, number][], diameter: number, [height, width]: [number, number]): Bitmask {
  return painted(height, width, painter => {
    path.forEach(([x, y], i) => {
      const [fromX, fromY] = path[Math.max(i - 1, 0)]!
      strokeSpans({ x: fromX, y: fromY }, { x, y }, diameter, (row, x0, x1) => painter.span(row, x0, x1, 1))
    })
  })
}

function area(corners: [number, number][], [height, width]: [number, number]): Bitmask {
  const path = corners.map(([x, y]) => ({ x, y }))
  return painted(height, width, painter =>
    polygonSpans(path, height, (y, x0, x1) => painter.span(y, x0, x1, 1)),
  )
}

describe('a brush', () => {
  test('of one pixel paints the pixels of the line, no more and no gaps', () => {
    expect(rowsOf(stroke([[0.2, 0.9], [4.8, 2.1]], 1, [3, 5]))).toEqual(['#....', '.##..', '...##'])
  })

  test.each([1, 2, 3, 4, 5, 8, 13, 40])('of %i pixels is as wide and as high as it says, and round', diameter => {
    const { lefts, rights } = stampOf(diameter)
    expect(lefts).toHaveLength(diameter)
    expect(Math.max(...rights) - Math.min(...lefts)).toBe(diameter)
    const middle = diameter % 2 ? 0.5 : 0
    for (let row = 0; row < diameter; row++) {
      const dy = row - (diameter >> 1) + 0.5 - middle
      for (let x = -diameter; x <= diameter; x++) {
        const isNear = Math.hypot(x + 0.5 - middle, dy) <= diameter / 2
        expect(x >= lefts[row]! && x < rights[row]!).toBe(isNear)
      }
    }
  })

  test('drawn along is the brush put on every pixel of the line', () => {
    const random = numbers(7)
    for (let trial = 0; trial < 120; trial++) {
      const diameter = 1 + Math.floor(random() * 12)
      const [height, width] = [30 + Math.floor(random() * 70), 30 + Math.floor(random() * 120)]
      // Also beyond the photo's edges.
      const at = () => [random() * (width + 20) - 10, random() * (height + 20) - 10] as [number, number]
      const [from, to] = [at(), at()]
      const whole = ([x, y]: [number, number]) =>
        (diameter % 2 ? [Math.floor(x), Math.floor(y)] : [Math.round(x), Math.round(y)]) as [number, number]
      const { top, lefts, rights } = stampOf(diameter)
      const plain = painted(height, width, painter => {
        for (const [x, y] of lineOf(...whole(from), ...whole(to))) {
          for (let row = 0; row < diameter; row++) painter.span(y + top + row, x + lefts[row]!, x + rights[row]!, 1)
        }
      })
      expect(stroke([from, to], diameter, [height, width])).toEqual(plain)
    }
  })

  test('cut off at the borders of the photo paints what is on it', () => {
    expect(rowsOf(stroke([[0, 0]], 3, [3, 3]))).toEqual(['##.', '##.', '...'])
    expect(rowsOf(stroke([[-9, -9], [20, 20]], 1, [3, 3]))).toEqual(['#..', '.#.', '..#'])
  })
})

describe('a polygon', () => {
  test('holds the pixels whose middle is inside', () => {
    expect(rowsOf(area([[1, 1], [4, 1], [4, 3], [1, 3]], [4, 5]))).toEqual(['.....', '.###.', '.###.', '.....'])
  })

  test('of any shape holds what the even-odd rule says, also beyond the photo', () => {
    const random = numbers(3)
    for (let trial = 0; trial < 80; trial++) {
      const [height, width] = [40, 50]
      const corners = Array.from({ length: 3 + Math.floor(random() * 7) }, () => [
        random() * 70 - 10,
        random() * 60 - 10,
      ]) as [number, number][]
      const whole = corners.map(([x, y]) => [Math.round(x), Math.round(y)] as const)
      const rows = Array.from({ length: height }, (_, y) =>
        Array.from({ length: width }, (_, x) => {
          let isIn = false
          whole.forEach(([ax, ay], i) => {
            const [bx, by] = whole[(i + 1) % whole.length]!
            if (ay > y === by > y) return
            const [[x0, y0], [x1, y1]] = ay < by ? [[ax, ay], [bx, by]] : [[bx, by], [ax, ay]] // prettier
            const left = BigInt(2 * x + 1) * BigInt(y1! - y0!)
            const edge = BigInt(2 * x0! * (y1! - y0!)) + BigInt((2 * (y - y0!) + 1) * (x1! - x0!))
            if (left >= edge) isIn = !isIn
          })
          return isIn ? '#' : '.'
        }).join(''),
      )
      expect(rowsOf(area(corners, [height, width]))).toEqual(rows)
    }
  })

  test('and the one beside it share a border without a gap and without a pixel in both', () => {
    const size: [number, number] = [64, 64]
    const random = numbers(11)
    for (let trial = 0; trial < 30; trial++) {
      const [a, b]: [number, number][] = [[0, random() * 64], [64, random() * 64]]
      const [above, below] = [area([[0, 0], a!, b!, [64, 0]], size), area([[0, 64], a!, b!, [64, 64]], size)]
      expect(iouOf(above, below)).toBe(0)
      expect(rowsOf(union([above, below])).join('')).toBe('#'.repeat(64 * 64))
    }
  })

  test('without area holds nothing', () => {
    expect(area([[1, 1], [9, 1], [4, 1]], [10, 10]).bits).toHaveLength(0)
  })
})

describe('regions', () => {
  test('are those that filling one pixel after the other finds', () => {
    const random = numbers(5)
    for (let trial = 0; trial < 60; trial++) {
      const one = noise(random, 1 + Math.floor(random() * 18), 1 + Math.floor(random() * 18), random())
      const rows = rowsOf(one)
      const plain = plainRegions(rows, '#', true)
      const parts = partsOf(one)
      expect(parts.map(part => rowsOf(part).join('').replaceAll('.', '').length).sort()).toEqual(
        plain.map(({ size }) => size).sort(),
      )
      const seen = new Set(parts.map(part => rowsOf(part).join('\n')))
      for (const region of plain) {
        const own = rows.map((row, y) => [...row].map((_, x) => (region.has(`${x},${y}`) ? '#' : '.')).join(''))
        expect(seen).toContain(own.join('\n'))
      }
      const holes = plainRegions(rows, '.', false).filter(region =>
        [...region].every(pixel => {
          const [x, y] = pixel.split(',').map(Number) as [number, number]
          return x > 0 && y > 0 && x < rows[0]!.length - 1 && y < rows.length - 1
        }),
      )
      // Small ones first; again and again until there is none.
      let filled = one
      for (let next = withoutHoles(one); next.count; next = withoutHoles(filled)) filled = next.mask
      const whole = rows.map((row, y) =>
        [...row].map((s, x) => (holes.some(hole => hole.has(`${x},${y}`)) ? '#' : s)).join(''),
      )
      expect(rowsOf(filled)).toEqual(whole)
    }
  })

  test('a corner connects a mask, and does not open a hole', () => {
    expect(partsOf(mask('#..', '.#.', '..#'))).toHaveLength(1)
    expect(rowsOf(withoutHoles(mask('.#.', '#.#', '.#.')).mask)).toEqual(['.#.', '###', '.#.'])
  })

  test('background at the border of the photo is no hole', () => {
    const bay = mask('#.#', '#.#', '###')
    expect(withoutHoles(bay)).toEqual({ mask: bay, count: 0 })
  })

  test('small islands go first, then all parts but the largest', () => {
    const row = (text: string) => text.padEnd(40, '.')
    const one = mask(...Array(10).fill(row('#'.repeat(30))), row(''), row('#.####'), row('..####'))
    const once = withoutIslands(one)
    expect(once.count).toBe(1)
    const twice = withoutIslands(once.mask)
    expect(twice.count).toBe(1)
    expect(twice.mask.box).toEqual([0, 0, 30, 10])
    expect(withoutIslands(twice.mask).count).toBe(0)
  })
})

describe('masks with masks', () => {
  test('union, difference and IoU are those of sets of pixels', () => {
    const random = numbers(9)
    for (let trial = 0; trial < 60; trial++) {
      const [a, b, c] = [0.1, 0.5, 0.3].map(share => noise(random, 9, 14, share * random())) as [Bitmask, Bitmask, Bitmask]
      const [x, y, z] = [a, b, c].map(one => rowsOf(one).join('')) as [string, string, string]
      const both = [...x].filter((sign, i) => sign === '#' && y[i] === '#').length
      const either = [...x].filter((sign, i) => sign === '#' || y[i] === '#').length
      expect(rowsOf(union([a, b, c])).join('')).toBe(
        [...x].map((sign, i) => ([sign, y[i], z[i]].includes('#') ? '#' : '.')).join(''),
      )
      expect(rowsOf(difference(a, [b, c])).join('')).toBe(
        [...x].map((sign, i) => (sign === '#' && y[i] === '.' && z[i] === '.' ? '#' : '.')).join(''),
      )
      expect(iouOf(a, b)).toBe(either ? both / either : 1)
    }
  })

  test('a click corrects one spot: foreground adds the region that it is in, background takes its region away', () => {
    const before = mask('####....', '####....', '........', '........')
    const after = mask('##..####', '........', '.......#', '##......')
    const at = (x: number, y: number) => [{ x: x + 0.5, y: y + 0.5 }]
    expect(rowsOf(changedAt(before, after, at(5, 0), []))).toEqual(['########', '####....', '........', '........'])
    expect(rowsOf(changedAt(before, after, at(0, 3), []))).toEqual(['####....', '####....', '........', '##......'])
    expect(rowsOf(changedAt(before, after, [], at(3, 1)))).toEqual(['##......', '........', '........', '........'])
    // Nothing has changed there, or the other way: it stays as it was.
    expect(changedAt(before, after, at(3, 1), at(5, 0))).toEqual(before)
  })

  test('a mask is cut to the box of its pixels', () => {
    const wide = { ...mask('####'), bits: Uint8Array.from([0, 1, 1, 0]) }
    expect(trimmed(wide)).toMatchObject({ box: [1, 0, 3, 1] })
    expect(difference(mask('##'), [mask('##')]).bits).toHaveLength(0)
  })
})

describe('a patched mask', () => {
  test('has the pixels of its strokes, and leaves the mask that it was made of alone', () => {
    const random = numbers(13)
    const [height, width] = [150, 200]
    const base = noise(random, height, width, 0.4)
    const before = rowsOf(base)
    const painter = new Painter(patched(base))
    const plain = before.map(row => [...row])
    for (let i = 0; i < 300; i++) {
      const [y, x0] = [Math.floor(random() * (height + 10)) - 5, Math.floor(random() * width) - 5]
      const x1 = x0 + Math.floor(random() * 150)
      const value = random() < 0.5 ? 0 : 1
      painter.span(y, x0, x1, value)
      for (let x = Math.max(x0, 0); x < Math.min(x1, width); x++) if (plain[y]) plain[y]![x] = value ? '#' : '.'
    }
    expect(rowsOf(flattened(painter.look()))).toEqual(plain.map(row => row.join('')))
    expect(rowsOf(base)).toEqual(before)
  })

  test('keeps of a stroke the tiles that it touched, on a photo of any size', () => {
    const size = { height: 3000, width: 4000 }
    const painter = new Painter(patched(emptyMask(size)))
    strokeSpans({ x: 100, y: 100 }, { x: 140, y: 110 }, 20, (y, x0, x1) => painter.span(y, x0, x1, 1))
    const first = painter.look()
    expect(first.tiles.size).toBeLessThanOrEqual(6)
    expect(boxOfTiles(painter.takeDirty(), size)).toEqual([TILE, TILE, 3 * TILE, 2 * TILE])
    const second = new Painter(first)
    second.span(2999, 3990, 4100, 1)
    const shared = [...first.tiles].every(([index, tile]) => second.look().tiles.get(index) === tile)
    expect(shared).toBe(true)
    expect(first.tiles.has(46 * 63 + 62)).toBe(false)
  })

  test('brought to other pixels shares the tiles that are equal', () => {
    const base = noise(numbers(1), 200, 200, 0.5)
    const wanted = difference(base, [stroke([[100, 100]], 5, [200, 200])])
    const changed = repatched(patched(base), wanted)
    expect(rowsOf(flattened(changed))).toEqual(rowsOf(wanted))
    expect(changed.tiles.size).toBe(1)
  })

  test('that was wiped clean is empty', () => {
    const painter = new Painter(patched(mask('##', '##')))
    painter.span(0, 0, 2, 0)
    painter.span(1, 0, 2, 0)
    expect(flattened(painter.look()).bits).toHaveLength(0)
  })
})

describe('a mask as a prompt', () => {
  test('is logits from which the mask can be read again, at least as well as cells allow', () => {
    for (const [height, width] of [[300, 400], [60, 40], [64, 64]] as const) {
      const disc = stroke([[width / 2, height / 2]], Math.floor(height / 2), [height, width])
      const again = logitsToMask(maskToLogits(disc, 64, 256), 64, { height, width }, 256)
      expect(iouOf(disc, again)).toBeGreaterThan(0.93)
    }
  })

  test('has 10 inside, -10 outside and in the padding, and the share between at borders', () => {
    const logits = maskToLogits(mask('###.', '....'), 2, 8)
    expect([...logits]).toEqual([0, -5, -10, -10].map(x => expect.closeTo(x, 4)))
    expect([...maskToLogits(emptyMask({ height: 4, width: 4 }), 2, 8)]).toEqual([-10, -10, -10, -10])
  })
})
