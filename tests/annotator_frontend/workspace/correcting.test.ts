import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { corrected, correctedInPart, correctingIntoCrop, promptsToCorrect, stillSaid } from '@/features/workspace/decoder/correcting'
import { type Bitmask, covers, cropped } from '@/shared/geometry/bitmask'
import { innermostPoint, squaredDistances } from '@/shared/geometry/distances'
import { type Prompt, toModelFrame } from '@/shared/geometry/modelFrame'
import { decode, encode } from '@/shared/geometry/runLengths'

type Stored = { kind: 'point'; at: [number, number]; label: 0 | 1 } | { kind: 'box'; box: [number, number, number, number] }

interface Case {
  size: [number, number]
  mask: string
  now: string
  answer: string
  taken: string
  said: Stored[]
  is_models: boolean
  clicks: Stored[]
  points: [number, number, 0 | 1][]
  box: [number, number, number, number] | null
}

/** The simulated people correct by these, too. */
const CASES = JSON.parse(readFileSync(new URL('../../data/correcting.json', import.meta.url), 'utf8')) as Case[]

const promptOf = (one: Stored): Prompt =>
  one.kind === 'box' ? one : { ...one, at: { x: one.at[0], y: one.at[1] } }

const point = (x: number, y: number, label: 0 | 1 = 1): Prompt => ({ kind: 'point', at: { x, y }, label })

function mask(...rows: string[]): Bitmask {
  const size = { height: rows.length, width: rows[0]!.length }
  return cropped(Uint8Array.from(rows.join(''), sign => Number(sign === '#')), size)
}

test.each(CASES.map((one, index) => ({ ...one, index })))('case $index is asked and taken as the simulated people do', one => {
  const size = { height: one.size[0], width: one.size[1] }
  const [was, now, answer] = [one.mask, one.now, one.answer].map(counts => decode(counts, size)) as [Bitmask, Bitmask, Bitmask]
  const correcting = { mask: was, said: one.said.map(promptOf), isModels: one.is_models }
  const clicks = one.clicks.map(promptOf)
  const prompts = promptsToCorrect(correcting, now, clicks)
  const wanted: Prompt[] = one.points.map(([x, y, label]) => point(x, y, label))
  if (one.box) wanted.push({ kind: 'box', box: one.box })
  expect(toModelFrame(prompts, now.size, 64)).toEqual(toModelFrame(wanted, now.size, 64))
  expect(encode(corrected(correcting, now, answer, clicks))).toBe(one.taken)
})

describe('a click on a mask that is there', () => {
  const square = mask('........', '.####...', '.####...', '.####...', '.####...', '........')

  test('never goes in alone: where nobody said anything the mask says where it is', () => {
    const by = { mask: square, said: [], isModels: false }
    expect(promptsToCorrect(by, square, [point(7.5, 2.5)])).toEqual([
      point(2.5, 2.5),
      { kind: 'box', box: [1, 1, 8, 5] },
      point(7.5, 2.5),
    ])
    expect(promptsToCorrect(by, square, [point(4.5, 2.5, 0)])[1]).toEqual({ kind: 'box', box: [1, 1, 5, 5] })
  })

  test('goes in with what was said of the mask, as far as it still holds', () => {
    const said = [point(3.5, 3.5), point(7.5, 0.5), { kind: 'text', words: 'a cell', token: [] } as const]
    const by = { mask: square, said, isModels: true }
    expect(promptsToCorrect(by, square, [point(6.5, 2.5)])).toEqual([point(3.5, 3.5), point(6.5, 2.5)])
    expect(stillSaid(said, square, [point(6.5, 2.5)])).toEqual([point(3.5, 3.5)])
  })

  test('is not contradicted by what was said at its place, nor by the place that the mask names for itself', () => {
    const by = { mask: square, said: [point(2.5, 2.5)], isModels: true }
    expect(promptsToCorrect(by, square, [point(2.2, 2.8, 0)])[0]).toEqual(point(3.5, 3.5))
  })

  test('with a box or words it is about the whole object: nothing else goes in, and the answer is taken whole', () => {
    const [by, box] = [{ mask: square, said: [point(3.5, 3.5)], isModels: false }, { kind: 'box', box: [0, 0, 8, 2] } as const]
    const answer = mask('########', '########', '........', '........', '........', '........')
    expect(promptsToCorrect(by, square, [box])).toEqual([box])
    expect(stillSaid(by.said, square, [box])).toEqual([])
    expect(corrected(by, square, answer, [box])).toBe(answer)
  })

  const grown = mask('######..', '######..', '######..', '######..', '######..', '........')

  test('changes a mask of the model as a whole, and of a person only the spot at the click', () => {
    const almost = mask('........', '.#####..', '.####...', '.####...', '..###...', '........')
    const by = { mask: square, said: [], isModels: true }
    expect(corrected(by, square, almost, [point(5.5, 1.5)])).toBe(almost)
    const spot = corrected({ ...by, isModels: false }, square, almost, [point(5.5, 1.5)])
    expect(encode(spot)).toBe(encode(mask('........', '.#####..', '.####...', '.####...', '.####...', '........')))
    // Another object than before: of that, too, only what is at the click.
    expect(encode(corrected(by, square, grown, [point(0.5, 7.5, 0)]))).toBe(encode(square))
  })

  test('takes no rim along that hangs on to the spot by a pixel', () => {
    const rows = (from: number, to: number, row: string) => Array.from({ length: 14 }, (_, y) => (y >= from && y < to ? row : '.'.repeat(20)))
    const before = mask(...rows(2, 12, '..######............'))
    const after = mask(...rows(1, 13, '.#######............').map((row, y) => (y > 2 && y < 11 ? '.###############....' : row)))
    const spot = corrected({ mask: before, said: [], isModels: false }, before, after, [point(12.5, 6.5)])
    expect([covers(spot, 15, 3), covers(spot, 9, 10), covers(spot, 1, 6), covers(spot, 3, 1)]).toEqual([true, true, false, false])
  })

  test('in a part of the photo is asked with what was said there, and with what of the mask lies there', () => {
    const box: Prompt = { kind: 'box', box: [0, 0, 6, 6] }
    const by = { mask: square, said: [point(1.5, 1.5), box, point(3.5, 3.5)], isModels: true }
    expect(correctingIntoCrop(by, [2, 2, 8, 6])).toEqual({
      mask: { size: { height: 4, width: 6 }, box: [0, 0, 3, 3], bits: new Uint8Array(9).fill(1) },
      said: [{ kind: 'box', box: [0, 0, 4, 4] }, point(1.5, 1.5)],
      isModels: true,
    })
    expect(correctingIntoCrop({ ...by, said: [box] }, [6, 6, 8, 8]).said).toEqual([])
  })

  test('never goes in alone in a part of the photo either, when all that was said lies outside it', () => {
    const by = correctingIntoCrop({ mask: square, said: [point(1.5, 1.5)], isModels: true }, [3, 0, 8, 6])
    expect(promptsToCorrect(by, by.mask, [point(3.5, 2.5)])).toEqual([
      point(0.5, 1.5),
      { kind: 'box', box: [0, 1, 4, 5] },
      point(3.5, 2.5),
    ])
  })

  const right: [number, number, number, number] = [3, 0, 8, 6]
  const answer = mask('.....', '####.', '##...', '##...', '##...', '.....')

  test('changes in a part of the photo what lies there, and leaves all else', () => {
    for (const isModels of [false, true]) {
      const by = { mask: square, said: [], isModels }
      const changed = correctedInPart(by, square, answer, [point(5.5, 1.5)], right)
      expect(encode(changed)).toBe(encode(mask('........', '.######.', '.####...', '.####...', '.####...', '........')))
    }
  })

  test('adds to a mask that lies outside the part altogether', () => {
    const left = mask('........', '.##.....', '.##.....', '........', '........', '........')
    const by = { mask: left, said: [], isModels: false }
    const changed = correctedInPart(by, left, answer, [point(5.5, 1.5)], right)
    expect(encode(changed)).toBe(encode(mask('........', '.######.', '.####...', '...##...', '...##...', '........')))
  })

  test('with a box in a part of the photo the answer is the mask', () => {
    const by = { mask: square, said: [], isModels: false }
    const box: Prompt = { kind: 'box', box: [3, 1, 7, 5] }
    const changed = correctedInPart(by, square, answer, [box], right)
    expect(encode(changed)).toBe(encode(mask('........', '...####.', '...##...', '...##...', '...##...', '........')))
  })
})

describe('distances', () => {
  test('are the squared ones to the nearest pixel outside, the border of the rectangle or none', () => {
    let seed = 3
    const random = () => (seed = (48271 * seed) % 2147483647) / 2147483647
    for (let trial = 0; trial < 40; trial++) {
      const [width, height] = [1 + Math.floor(12 * random()), 1 + Math.floor(12 * random())]
      const bits = Uint8Array.from({ length: width * height }, () => Number(random() < 0.8))
      bits[0] = 0
      for (const isOutside of [true, false]) {
        const plain = Array.from(bits, (bit, at) => {
          let least = Number.POSITIVE_INFINITY
          for (let y = -1; y <= height; y++) {
            for (let x = -1; x <= width; x++) {
              const isBeyond = x < 0 || y < 0 || x === width || y === height
              if (isBeyond ? isOutside : !bits[y * width + x])
                least = Math.min(least, ((at % width) - x) ** 2 + (Math.floor(at / width) - y) ** 2)
            }
          }
          return bit ? least : 0
        })
        expect(Array.from(squaredDistances(bits, width, height, isOutside))).toEqual(plain)
      }
    }
  })

  test('the innermost place is the middle of a pixel, and an empty mask has none', () => {
    expect(innermostPoint(mask('.###', '.###', '.###'))).toEqual({ x: 2.5, y: 1.5 })
    expect(innermostPoint(mask('....'))).toBeNull()
  })
})
