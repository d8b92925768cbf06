import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { tidied } from '@/shared/geometry/tidy'

interface Case {
  side: number
  size: [number, number]
  input_side: number
  points: [number, number, 0 | 1][]
  logits: number[]
  /** Cells that change sides, and those that would if nobody had clicked. */
  turned: number[]
  turned_without_clicks: number[]
}

const CASES = JSON.parse(readFileSync(new URL('../../data/tidy.json', import.meta.url), 'utf8')) as Case[]

test.each(CASES.map((one, index) => ({ ...one, index })))('case $index loses the specks that the engine takes away', one => {
  const logits = new Float32Array(one.logits)
  const before = logits.slice()
  const size = { height: one.size[0], width: one.size[1] }
  const prompts: Prompt[] = one.points.map(([x, y, label]) => ({ kind: 'point', at: { x, y }, label }))
  const result = tidied(logits, one.side, size, one.input_side, prompts)
  const turned = [...result.keys()].filter(at => result[at]! > 0 !== before[at]! > 0)
  expect(turned).toEqual(one.turned)
  const alone = tidied(logits, one.side, size, one.input_side, [])
  expect([...alone.keys()].filter(at => alone[at]! > 0 !== before[at]! > 0)).toEqual(one.turned_without_clicks)
  expect(logits).toEqual(before)
  // What does not change sides does not change.
  expect([...result.keys()].filter(at => result[at] !== before[at] && !turned.includes(at))).toEqual([])
})

test('no mask becomes empty, and an empty one stays it', () => {
  const checks = Float32Array.from({ length: 1600 }, (_, at) => (at % 2 === 1 && Math.floor(at / 40) % 2 === 1 ? 1 : -1))
  expect(tidied(checks, 40, { height: 80, width: 80 }, 80, []).some(value => value > 0)).toBe(true)
  expect(tidied(new Float32Array(64).fill(-1), 8, { height: 30, width: 40 }, 32, []).some(value => value > 0)).toBe(false)
})
