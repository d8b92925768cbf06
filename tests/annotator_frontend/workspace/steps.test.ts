import { beforeEach, describe, expect, test } from 'vitest'
import type { Candidate } from '@/features/workspace/decoder/protocol'
import { Editor } from '@/features/workspace/editor/editor'
import { partsOf, type Step } from '@/features/workspace/editor/steps'
import type { Bitmask } from '@/shared/geometry/bitmask'

const MIB = 2 ** 20
const size = { height: 3000, width: 4000 }
const click = (x: number) => ({ kind: 'point' as const, at: { x, y: 1 }, label: 1 as const })

/** All of the photo but some of its columns, which tell it from others. */
function full(n: number): Bitmask {
  const bits = new Uint8Array(size.height * size.width).fill(1)
  for (let y = 0; y < 100; y++) bits.fill(0, y * size.width + n, y * size.width + 2 * n)
  return { size, box: [0, 0, size.width, size.height], bits }
}

const candidate = (mask: Bitmask, index: 0 | 1 | 2): Candidate => ({
  index,
  predictedIou: 0.9,
  stability: 0.9,
  logits: new Float32Array(96 * 96),
  mask,
  region: null,
})

let editor: Editor
let soon: (() => void)[]
const idle = () => {
  for (const act of soon.splice(0)) act()
}

beforeEach(() => {
  let ids = 0
  soon = []
  editor = new Editor({
    ask: () => {},
    put: () => {},
    remove: () => {},
    notAccepted: () => {},
    newId: () => `${++ids}`,
    secondsSpent: () => 1,
    later: act => soon.push(act),
  })
  editor.open('photo', [], size)
})

/** Of all that undo and redo hold and the page does not show. */
function bytesOfSteps(): number {
  const { state } = editor
  const shown = partsOf(state as Step)
  const parts = new Map([...state.past, ...state.future].flatMap(step => [...partsOf(step)]))
  let bytes = 0
  for (const [part, own] of parts) if (!shown.has(part)) bytes += own
  return bytes
}

describe('undo of full-photo masks at 12 megapixels', () => {
  test('takes under 80 MiB after six of them (216 MiB of pixels), with all that the model offered', () => {
    for (let n = 1; n <= 6; n++) {
      editor.addPrompt(click(n))
      editor.answered('photo', editor.state.revision, [0, 1, 2].map(index => candidate(full(3 * n + index), index as 0)))
      editor.accept()
      idle()
    }
    expect(editor.state.past).toHaveLength(12)
    expect(bytesOfSteps()).toBeLessThan(80 * MIB)
    for (let n = 6; n >= 1; n--) {
      editor.undo()
      idle()
      const { candidates, masks } = editor.state
      expect(candidates.map(({ mask }) => mask.bits.indexOf(0))).toEqual([0, 1, 2].map(index => 3 * n + index))
      expect(masks).toHaveLength(n - 1)
      editor.undo()
      idle()
    }
    expect(bytesOfSteps()).toBeLessThan(80 * MIB)
    for (let steps = 0; steps < 12; steps++) editor.redo()
    expect(editor.state.masks.map(({ mask }) => mask.bits.indexOf(0))).toEqual(Array.from({ length: 6 }, (_, n) => 3 * n + 3))
  })

  test('takes under 80 MiB after outlines around all of it, and their removal', () => {
    const corners = [
      { x: 1, y: 1 },
      { x: 3999, y: 1 },
      { x: 3999, y: 2999 },
      { x: 1, y: 2999 },
    ]
    for (let n = 0; n < 3; n++) {
      editor.paint({ kind: 'area', adds: true, path: corners.map(({ x, y }) => ({ x: x - n / 2, y })) })
      editor.accept()
      editor.select(editor.state.masks[0]!.id)
      editor.removeSelected()
      idle()
    }
    expect(editor.state.masks).toHaveLength(0)
    expect(bytesOfSteps()).toBeLessThan(80 * MIB)
    editor.undo()
    expect(editor.state.masks[0]!.mask.box).toEqual([0, 1, 3998, 2999])
  })
})

test('what is near is not packed: undo shows the very pixels that were there', () => {
  const mask = full(1)
  editor.addPrompt(click(1))
  editor.answered('photo', editor.state.revision, [candidate(mask, 0)])
  editor.accept()
  idle()
  editor.undo()
  expect(editor.state.candidates[0]!.mask).toBe(mask)
})
