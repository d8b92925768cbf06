import { beforeEach, describe, expect, test } from 'vitest'
import type { Correcting } from '@/features/workspace/decoder/correcting'
import type { Candidate } from '@/features/workspace/decoder/protocol'
import { shownMask } from '@/features/workspace/editor/document'
import { type AcceptedMask, Editor } from '@/features/workspace/editor/editor'
import { faultOf } from '@/features/workspace/editor/fault'
import type { Shape } from '@/features/workspace/editor/shape'
import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { decode, encode } from '@/shared/geometry/runLengths'
import { mask, numbers, rowsOf } from '../shared/plain'

const SIZE = { height: 4, width: 8 }
const click = (x: number, y: number, label: 0 | 1 = 1): Prompt => ({ kind: 'point', at: { x, y }, label })
const dot = (x: number, y: number, adds = true): Shape => ({
  kind: 'stroke',
  adds,
  diameter: 1,
  path: [{ x, y }],
})

const BLANK = ['........', '........', '........', '........']
const LEFT = mask('##......', '##......', '........', '........')
const RIGHT = mask('......##', '......##', '........', '........')
const BLANK_MASK = mask(...BLANK)
const WIDE = mask('.######.', '........', '........', '........')

let asked: { prompts: readonly Prompt[]; fedBack: Float32Array | Bitmask | null; revision: number; correcting: Correcting | null }[]
let told: string[]
/** What the server has: active masks as rows of signs. It refuses what the real one refuses. */
let server: Map<string, { rows: string[]; state: 'active' | 'replaced' | 'rejected'; mask: AcceptedMask }>
let editor: Editor

function accepted(id: string, bits: Bitmask, more: Partial<AcceptedMask> = {}): AcceptedMask {
  return {
    id,
    mask: bits,
    counts: encode(bits),
    origin: 'automatic',
    prompts: [],
    predictedIou: null,
    stability: null,
    choice: null,
    seconds: null,
    clicks: 0,
    isNew: false,
    replaces: null,
    locked: false,
    cropBox: null,
    ...more,
  }
}

beforeEach(() => {
  asked = []
  told = []
  let ids = 0
  server = new Map()
  editor = new Editor({
    ask: (_, revision, prompts, fedBack, correcting) => asked.push({ revision, prompts, fedBack, correcting }),
    put: one => {
      told.push(`put ${one.id}${one.replaces ? ` for ${one.replaces}` : ''}`)
      if (one.replaces) {
        const replaced = server.get(one.replaces)
        expect(replaced?.state).toBe('active') // else: replaced_already
        replaced!.state = 'replaced'
      }
      expect(server.has(one.id)).toBe(false)
      server.set(one.id, { rows: rowsOf(decode(one.counts, SIZE)), state: 'active', mask: one })
    },
    remove: id => {
      told.push(`remove ${id}`)
      expect(server.get(id)?.state).toBe('active')
      server.get(id)!.state = 'rejected'
    },
    notAccepted: () => told.push('not accepted'),
    newId: () => `n${++ids}`,
    secondsSpent: () => 1,
  })
  open(accepted('left', LEFT), accepted('right', RIGHT))
})

function open(...masks: AcceptedMask[]) {
  for (const one of masks) server.set(one.id, { rows: rowsOf(one.mask), state: 'active', mask: one })
  editor.open('photo', masks, SIZE)
}

function candidate(bits: Bitmask, more: Partial<Candidate> = {}): Candidate {
  return { index: 0, predictedIou: 0.8, stability: 0.9, logits: new Float32Array([1]), mask: bits, region: null, ...more }
}

function answer(...candidates: Candidate[]) {
  editor.answered('photo', asked.at(-1)!.revision, candidates)
}

/** What the page shows, and what the server has: they must be the same. */
function objects(): string[][] {
  const shown = editor.state.masks.map(one => rowsOf(one.mask))
  const stored = [...server.values()].filter(({ state }) => state === 'active').map(({ rows }) => rows)
  const sorted = (all: string[][]) => all.map(rows => rows.join('\n')).sort()
  expect(sorted(stored)).toEqual(sorted(shown))
  expect(editor.state.masks.every(({ id }) => server.get(id)?.state === 'active')).toBe(true)
  return shown
}

const inWork = () => {
  const shown = shownMask(editor.state)
  return shown && editor.isBusy ? rowsOf(shown) : null
}

const union = (a: string[], b: string[]) =>
  a.map((row, y) => [...row].map((sign, x) => (sign === '#' || b[y]![x] === '#' ? '#' : '.')).join(''))

/** After an operation: back and forth twice, and page and server agree all along. */
function holdsUnderUndo(before: string[][], after: string[][]) {
  editor.select(null)
  for (let round = 0; round < 2; round++) {
    editor.undo()
    expect(objects()).toEqual(before)
    editor.redo()
    expect(objects()).toEqual(after)
  }
}

describe('painting', () => {
  test('begins an object without the model, stroke by stroke', () => {
    editor.paint(dot(3, 3))
    editor.paint({ kind: 'area', adds: true, path: [{ x: 3, y: 0 }, { x: 5, y: 0 }, { x: 5, y: 2 }, { x: 3, y: 2 }] })
    expect(inWork()).toEqual(['...##...', '...##...', '........', '...#....'])
    editor.undo()
    expect(inWork()).toEqual([...BLANK.slice(0, 3), '...#....'])
    editor.redo()
    expect(editor.accept()).toBe(true)
    expect(server.get('n1')!.mask).toMatchObject({ origin: 'brush', predictedIou: null, choice: null, replaces: null })
    expect(objects()).toHaveLength(3)
    expect(asked).toEqual([])
  })

  test('repairs the answer of the model, whose words and choice stay with it', () => {
    editor.addPrompt(click(2, 0))
    answer(candidate(WIDE, { index: 2 }))
    editor.paint(dot(3, 0, false))
    expect(inWork()![0]).toBe('.##.###.')
    expect(editor.accept()).toBe(true)
    expect(server.get('n1')!.mask).toMatchObject({
      origin: 'brush',
      predictedIou: 0.8,
      choice: 2,
      prompts: [click(2, 0)],
      clicks: 1,
    })
    editor.undo()
    editor.undo()
    expect(inWork()![0]).toBe('.######.')
    editor.accept()
    expect(server.get('n2')!.mask).toMatchObject({ origin: 'assisted', choice: 2 })
  })

  test('repairs an accepted mask: a new row in its place', () => {
    const before = objects()
    editor.select('left')
    editor.paint(dot(7, 3))
    expect(editor.state.refines).toBe('left')
    expect(objects()).toEqual(before) // nothing is said before Enter
    editor.accept()
    expect(told).toEqual(['put n1 for left'])
    const after = objects()
    expect(after).toEqual([['##......', '##......', '........', '.......#'], before[1]])
    holdsUnderUndoOfAccept(before, after)
  })

  // The step before an acceptance is the object in work: undo once more for what was before.
  function holdsUnderUndoOfAccept(before: string[][], after: string[][]) {
    editor.undo()
    expect(objects()).toEqual(before)
    expect(editor.isBusy).toBe(true)
    editor.redo()
    expect(objects()).toEqual(after)
  }

  test('given up with Escape leaves the mask as it was', () => {
    editor.select('left')
    editor.paint(dot(7, 3))
    editor.clear()
    expect(editor.accept()).toBe(false)
    expect(told).toEqual([])
    editor.undo()
    expect(inWork()![3]).toBe('.......#')
  })

  test('while it goes on nothing is stored, and given up it leaves no trace', () => {
    const path = [{ x: 1, y: 3 }]
    const shape: Shape = { kind: 'stroke', adds: true, diameter: 1, path }
    editor.preview(shape)
    path.push({ x: 4, y: 3 })
    editor.preview(shape)
    expect(editor.state).toMatchObject({ isPainting: true, past: [], painted: null })
    editor.dropPreview()
    expect(editor.state).toMatchObject({ isPainting: false, past: [], painted: null })
    editor.preview(shape)
    editor.paint(shape)
    expect(inWork()![3]).toBe('.####...')
    expect(editor.state.past).toHaveLength(1)
  })

  test('a click after it feeds the painted pixels back', () => {
    editor.paint(dot(3, 3))
    editor.addPrompt(click(3, 3))
    expect(rowsOf(asked[0]!.fedBack as Bitmask)[3]).toBe('...#....')
    answer(candidate(WIDE, { index: null }))
    expect(inWork()![0]).toBe('.######.')
    editor.undo()
    expect(inWork()![3]).toBe('...#....')
  })

  test('wiped clean it is no object', () => {
    editor.paint(dot(3, 3))
    editor.paint(dot(3, 3, false))
    expect(editor.accept()).toBe(false)
    expect(told).toEqual([])
  })

  test('an answer that comes during a stroke does not take the stroke away', () => {
    editor.addPrompt(click(2, 0))
    const { revision } = asked[0]!
    editor.paint(dot(3, 3))
    editor.answered('photo', revision, [candidate(WIDE)])
    expect(inWork()![3]).toBe('...#....')
  })
})

describe('correcting an accepted mask with clicks', () => {
  test('feeds it back, gives one mask, and replaces it on acceptance', () => {
    editor.select('right')
    editor.addPrompt(click(5, 0))
    expect(asked[0]!.fedBack).toBe(RIGHT)
    answer(candidate(WIDE, { index: null }))
    editor.addPrompt(click(5, 3, 0))
    expect(asked[1]!.fedBack).toBe(WIDE)
    answer(candidate(WIDE, { index: null }))
    const before = objects()
    editor.accept()
    expect(told).toEqual(['put n1 for right'])
    expect(server.get('n1')!.mask).toMatchObject({ origin: 'assisted', choice: null, clicks: 2 })
    const after = objects()
    expect(after).toEqual([before[0], rowsOf(WIDE)])
    editor.undo()
    expect(objects()).toEqual(before)
    expect(told.at(-1)).toBe('put n2 for n1')
    editor.redo()
    expect(objects()).toEqual(after)
    expect(told.at(-1)).toBe('put n3 for n2')
  })

  test('goes on from what was said of the mask, which is not shown, and stores it with the clicks', () => {
    const box: Prompt = { kind: 'box', box: [5, 0, 8, 2] }
    open(accepted('proposed', RIGHT, { origin: 'proposed', prompts: [box] }))
    editor.select('proposed')
    editor.addPrompt(click(5, 0))
    expect(asked[0]).toMatchObject({ prompts: [click(5, 0)], correcting: { mask: RIGHT, said: [box], isModels: true } })
    answer(candidate(WIDE, { index: null }))
    editor.addPrompt(click(6, 0))
    expect(asked[1]).toMatchObject({ fedBack: WIDE, correcting: { mask: RIGHT, said: [box] } })
    answer(candidate(WIDE, { index: null }))
    expect(editor.state.prompts).toEqual([click(5, 0), click(6, 0)])
    editor.accept()
    expect(server.get('n1')!.mask).toMatchObject({ prompts: [box, click(5, 0), click(6, 0)], clicks: 2, choice: null })
    editor.select('n1')
    editor.addPrompt(click(1, 0, 0))
    expect(asked[2]!.correcting).toMatchObject({ mask: WIDE, isModels: false }) // a person's by now
  })

  test('of pixels that hands painted, too, every click keeps what it is not at', () => {
    editor.paint({ kind: 'stroke', adds: true, diameter: 1, path: [{ x: 3.5, y: 3.5 }] })
    editor.addPrompt(click(4.5, 3.5))
    answer(candidate(WIDE))
    editor.addPrompt(click(5, 0))
    expect(asked.map(({ correcting }) => correcting?.isModels)).toEqual([false, false])
    expect(asked[1]!.fedBack).toBe(WIDE)
  })

  test('a click that loses the mask, or what was said of it, is noticed and taken back with one key', () => {
    const said: Prompt[] = [click(7, 1)]
    open(accepted('proposed', RIGHT, { origin: 'proposed', prompts: said }), accepted('imported', LEFT))
    editor.select('proposed')
    editor.addPrompt(click(6, 0, 0))
    answer(candidate(mask('........', '......#.', '........', '........'), { index: null }))
    expect(editor.state.fault?.kind).toBe('forgot')
    editor.undo()
    editor.select('imported')
    editor.addPrompt(click(1, 1, 0))
    answer(candidate(BLANK_MASK, { index: null }))
    expect(editor.state.fault?.kind).toBe('wrecked')
    editor.undo()
    expect(editor.state.masks.map(({ mask }) => mask)).toEqual([RIGHT, LEFT])
  })

  test('when the last click is taken away the mask is only selected again', () => {
    editor.select('right')
    editor.addPrompt(click(5, 0))
    answer(candidate(WIDE))
    editor.changePrompt(0, null)
    expect(editor.isBusy).toBe(false)
    expect(editor.state.selected).toBe('right')
  })
})

describe('prompts that are changed', () => {
  test('are asked about anew, without what the old ones had given', () => {
    editor.addPrompt(click(1, 1))
    answer(candidate(LEFT), candidate(WIDE))
    editor.addPrompt(click(6, 1))
    answer(candidate(WIDE, { index: null }))
    editor.changePrompt(1, click(5, 2))
    expect(asked[2]).toMatchObject({ prompts: [click(1, 1), click(5, 2)], fedBack: null })
    editor.changePrompt(0, null)
    expect(asked[3]).toMatchObject({ prompts: [click(5, 2)], fedBack: null })
    answer(candidate(RIGHT))
    editor.undo()
    editor.undo()
    expect(editor.state.prompts).toEqual([click(1, 1), click(6, 1)])
    editor.changePrompt(9, null)
    expect(asked).toHaveLength(5) // the fourth was left before its answer, so it was asked again
  })

  test('a box that takes the place of a lone box is ambiguous again', () => {
    editor.addPrompt({ kind: 'box', box: [0, 0, 2, 2] })
    answer(candidate(LEFT))
    editor.addPrompt({ kind: 'box', box: [6, 0, 8, 2] })
    expect(asked[1]).toMatchObject({ prompts: [{ box: [6, 0, 8, 2] }], fedBack: null })
  })

  test('an answer that is known already needs no decoder', () => {
    editor.addPrompt(click(1, 1), [candidate(LEFT)])
    expect(asked).toEqual([])
    expect(editor.state).toMatchObject({ isWaiting: false, chosen: 0 })
    expect(editor.accept()).toBe(true)
  })
})

describe('objects', () => {
  test('merged are one row in the place of the first, and the others are removed', () => {
    const before = objects()
    editor.select('right')
    editor.alsoSelect('left')
    expect(editor.merge()).toEqual({ done: true, count: 2 })
    expect(told).toEqual(['put n1 for right', 'remove left'])
    const after = objects()
    expect(after).toEqual([union(before[0]!, before[1]!)])
    holdsUnderUndo(before, after)
  })

  test('split are connected parts, the largest in the place of the whole', () => {
    open(accepted('both', mask('###....#', '........', '#.....##', '........')))
    server.delete('left')
    server.delete('right')
    const before = objects()
    editor.select('both')
    expect(editor.split()).toEqual({ done: true, count: 4 })
    const after = objects()
    expect(after[0]![0]).toBe('###.....')
    expect(told[0]).toBe('put n1 for both')
    expect(told.slice(1)).toEqual(['put n2', 'put n3', 'put n4'])
    holdsUnderUndo(before, after)
  })

  test('subtracted lose the pixels of the others, which stay', () => {
    open(accepted('wide', WIDE), accepted('left', LEFT))
    server.delete('right')
    const before = objects()
    editor.select('wide')
    editor.alsoSelect('left')
    expect(editor.subtract()).toEqual({ done: true, count: 1 })
    const after = objects()
    expect(after[0]![0]).toBe('..#####.')
    expect(after[1]).toEqual(before[1])
    holdsUnderUndo(before, after)
    editor.select(editor.state.masks[0]!.id)
    editor.alsoSelect(editor.state.masks[1]!.id)
    expect(editor.subtract()).toEqual({ done: false, why: 'nothing' })
  })

  test('nothing is left of what is subtracted from itself: refused', () => {
    open(accepted('a', LEFT), accepted('b', LEFT))
    editor.select('a')
    editor.alsoSelect('b')
    expect(editor.subtract()).toEqual({ done: false, why: 'empty' })
    expect(told).toEqual([])
  })

  test('operations say what they lack', () => {
    expect(editor.merge()).toEqual({ done: false, why: 'select two' })
    expect(editor.split()).toEqual({ done: false, why: 'select' })
    expect(editor.fillHoles()).toEqual({ done: false, why: 'select' })
    editor.select('left')
    expect(editor.split()).toEqual({ done: false, why: 'nothing' })
    expect(editor.fillHoles()).toEqual({ done: false, why: 'nothing' })
    expect(told).toEqual([])
  })

  test('holes and islands go from the object in work, and from the one that is selected', () => {
    const ring = mask('###.....', '#.#....#', '###.....', '........')
    editor.addPrompt(click(0, 0))
    answer(candidate(ring))
    expect(editor.fillHoles()).toEqual({ done: true, count: 1 })
    expect(editor.removeIslands()).toEqual({ done: true, count: 1 })
    expect(inWork()).toEqual(['###.....', '###.....', '###.....', '........'])
    editor.undo()
    expect(inWork()![1]).toBe('###....#')
    editor.undo()
    expect(inWork()![1]).toBe('#.#....#')
    editor.clear()

    open(accepted('ring', ring))
    server.delete('left')
    server.delete('right')
    const before = objects()
    editor.select('ring')
    editor.fillHoles()
    expect(told).toEqual(['put n1 for ring'])
    holdsUnderUndo(before, objects())
  })

  test('what comes back in the place of a correction is no new work: the server counts what it replaces', () => {
    open(accepted('ring', mask('###.....', '#.#.....', '###.....', '........'), { seconds: 30, clicks: 5 }))
    editor.select('ring')
    editor.fillHoles()
    editor.undo()
    expect(server.get('n2')!.mask).toMatchObject({ replaces: 'n1', seconds: 0, clicks: 0 })
    editor.select('n2')
    editor.removeSelected()
    editor.undo()
    expect(server.get('n3')!.mask).toMatchObject({ replaces: null, seconds: 30, clicks: 5 })
  })

  test('several that are selected are removed in one step', () => {
    const before = objects()
    editor.select('left')
    editor.alsoSelect('right')
    expect(editor.removeSelected()).toBe(true)
    expect(objects()).toEqual([])
    editor.undo()
    expect(objects()).toEqual(before)
    expect(editor.removeSelected()).toBe(false)
  })

  test('removed while it is corrected, the correction is an object of its own', () => {
    editor.select('left')
    editor.paint(dot(4, 3))
    editor.remove('left')
    editor.accept()
    expect(told).toEqual(['remove left', 'put n1'])
    objects()
  })

  test('locked cannot be selected, removed, corrected or merged', () => {
    open(accepted('locked', LEFT, { locked: true }), accepted('right', RIGHT))
    server.delete('left')
    editor.select('locked')
    expect(editor.state.selected).toBeNull()
    editor.select('right')
    editor.alsoSelect('locked')
    expect(editor.selection()).toEqual(['right'])
    editor.remove('locked')
    expect(editor.merge()).toEqual({ done: false, why: 'select two' })
    editor.select(null)
    editor.addPrompt(click(0, 0))
    expect(editor.state.refines).toBeNull()
    expect(told).toEqual([])
  })
})

describe('undo is about what is being edited', () => {
  test('with one mask selected it undoes what made that mask, though other things came after', () => {
    editor.select('left')
    editor.paint(dot(7, 3))
    editor.accept()
    editor.select('right')
    editor.paint(dot(0, 3))
    editor.accept()
    const [, right] = objects()
    editor.select('n1')
    expect(editor.undo()).toBe(true)
    expect(objects()).toEqual([rowsOf(LEFT), right])
    expect(told.at(-1)).toBe('put n3 for n1')
    // Again: it goes no further back than the photo's opening, and touches nothing else.
    expect(editor.undo()).toBe(false)
    expect(objects()).toEqual([rowsOf(LEFT), right])
    // What was undone so is a step itself.
    editor.select(null)
    editor.undo()
    expect(objects()[0]![3]).toBe('.......#')
  })

  test('goes back through all that was done to one mask, past what was done to others', () => {
    for (const x of [4, 5]) {
      editor.select(editor.state.masks[0]!.id)
      editor.paint(dot(x, 3))
      editor.accept()
      editor.select(editor.state.masks[1]!.id)
      editor.paint(dot(x - 4, 3))
      editor.accept()
    }
    const right = objects()[1]
    editor.select(editor.state.masks[0]!.id)
    editor.undo()
    expect(objects()).toEqual([['##......', '##......', '........', '....#...'], right])
    editor.undo()
    expect(objects()).toEqual([rowsOf(LEFT), right])
    expect(editor.undo()).toBe(false)
  })

  test('of a merge brings all its parts back', () => {
    const before = objects()
    editor.select('left')
    editor.alsoSelect('right')
    editor.merge()
    editor.select(null)
    editor.paint(dot(4, 3))
    editor.accept()
    editor.select('n1')
    expect(editor.undo()).toBe(true)
    expect(objects().slice(0, 2)).toEqual(before)
    expect(objects()).toHaveLength(3)
  })

  test('does not touch a mask that was there before', () => {
    editor.paint(dot(4, 3))
    editor.accept()
    editor.select('left')
    expect(editor.undo()).toBe(false)
    expect(objects()).toHaveLength(3)
  })
})

test.each([1, 2, 3, 4, 5])('page and server agree after any fifteen hundred things that hands do (%i)', seed => {
  const share = numbers(seed)
  const random = (below: number) => Math.floor(share() * below)
  const anyId = () => editor.state.masks[random(editor.state.masks.length)]?.id ?? null
  const things = [
    () => editor.paint(dot(random(8), random(4), random(4) > 0)),
    () => editor.accept(),
    () => editor.clear(),
    () => editor.select(anyId()),
    () => {
      const id = anyId()
      if (id) editor.alsoSelect(id)
    },
    () => editor.select(null),
    () => editor.merge(),
    () => editor.split(),
    () => editor.subtract(),
    () => editor.fillHoles(),
    () => editor.removeIslands(),
    () => editor.removeSelected(),
    () => editor.undo(),
    () => editor.undo(),
    () => editor.redo(),
    () => {
      editor.addPrompt(click(random(8), random(4)))
      if (random(3)) answer(candidate([LEFT, RIGHT, WIDE][random(3)]!))
    },
    () => editor.changePrompt(0, random(2) ? null : click(random(8), random(4))),
  ]
  for (let i = 0; i < 1500; i++) {
    things[random(things.length)]!()
    objects()
  }
  expect(told.length).toBeGreaterThan(40)
})

describe('a click that wrecks the mask', () => {
  const [small, large] = [mask('##......'), mask('########')]

  test('is one on the wrong side of the new mask', () => {
    expect(faultOf(small, small, [click(0.5, 0.5), click(7.5, 0.5)])).toMatchObject({ kind: 'ignored', iou: 1 })
    expect(faultOf(large, large, [click(0.5, 0.5), click(7.5, 0.5, 0)])?.kind).toBe('ignored')
  })

  test('or one for which an earlier one is forgotten', () => {
    const moved = mask('......##')
    expect(faultOf(small, moved, [click(0.5, 0.5), click(7.5, 0.5)])?.kind).toBe('forgot')
  })

  test('or a foreground click that loses most of the mask, or a background click that makes it much larger', () => {
    const elsewhere = mask('#......#')
    const most = mask('######..')
    expect(faultOf(most, elsewhere, [click(0.5, 0.5), click(7.5, 0.5)])?.kind).toBe('wrecked')
    const grown = mask('######..')
    expect(faultOf(small, grown, [click(0.5, 0.5), click(7.5, 0.5, 0)])?.kind).toBe('wrecked')
  })

  test('but not one that turns the part into the whole, nor one that takes a leak away', () => {
    expect(faultOf(small, large, [click(0.5, 0.5), click(7.5, 0.5)])).toBeNull()
    expect(faultOf(large, small, [click(0.5, 0.5), click(7.5, 0.5, 0)])).toBeNull()
  })

  test('is noticed, and undo brings the mask back without the decoder', () => {
    editor.addPrompt(click(0.5, 0.5))
    answer(candidate(LEFT))
    expect(editor.state.fault).toBeNull()
    editor.addPrompt(click(4.5, 0.5))
    answer(candidate(RIGHT, { index: null }))
    expect(editor.state.fault).toMatchObject({ kind: 'ignored', iou: 0 })
    editor.undo()
    expect(editor.state.fault).toBeNull()
    expect(inWork()).toEqual(rowsOf(LEFT))
    expect(asked).toHaveLength(2)
  })

  test('is noticed on an accepted mask that is corrected, too', () => {
    editor.select('left')
    editor.addPrompt(click(4.5, 3.5))
    answer(candidate(RIGHT, { index: null }))
    expect(editor.state.fault?.kind).toBe('ignored')
  })
})
