import { beforeEach, describe, expect, test } from 'vitest'
import type { Correcting } from '@/features/workspace/decoder/correcting'
import type { Candidate } from '@/features/workspace/decoder/protocol'
import { madeByHand } from '@/features/workspace/editor/document'
import { type AcceptedMask, Editor } from '@/features/workspace/editor/editor'
import { type Bitmask, cropped } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { flattened } from '@/shared/geometry/patched'

const click = (x: number, label: 0 | 1 = 1): Prompt => ({ kind: 'point', at: { x, y: 1 }, label })
const box = (x: number): Prompt => ({ kind: 'box', box: [x, 0, x + 2, 2] })

function candidate(index: Candidate['index'], predictedIou: number, bits = '0110'): Candidate {
  const mask = cropped(Uint8Array.from(bits, Number), { height: 1, width: bits.length })
  return { index, predictedIou, stability: 0.9, logits: new Float32Array([predictedIou]), mask, region: null }
}

interface Asked {
  photo: string
  revision: number
  prompts: readonly Prompt[]
  fedBack: Float32Array | Bitmask | null
  correcting: Correcting | null
}

let asked: Asked[]
let told: string[]
let seconds: number
let editor: Editor

beforeEach(() => {
  asked = []
  told = []
  seconds = 2.5
  let ids = 0
  editor = new Editor({
    ask: (photo, revision, prompts, fedBack, correcting) =>
      asked.push({ photo, revision, prompts, fedBack, correcting }),
    put: (mask: AcceptedMask) => told.push(`put ${mask.id}`),
    remove: id => told.push(`remove ${id}`),
    notAccepted: () => told.push('not accepted'),
    notSelected: () => told.push('not selected'),
    newId: () => `new-${++ids}`,
    secondsSpent: () => seconds,
  })
  editor.open('photo', [], { height: 1, width: 4 })
})

function answer(...candidates: Candidate[]) {
  editor.answered('photo', asked.at(-1)!.revision, candidates)
}

describe('prompts and answers', () => {
  test('the masks of a first click can be cycled, both ways', () => {
    editor.addPrompt(click(1))
    answer(candidate(1, 0.9), candidate(0, 0.7), candidate(2, 0.2))
    const chosen = [0, 1, 2].map(() => {
      editor.cycle()
      return editor.state.chosen
    })
    expect(chosen).toEqual([1, 2, 0])
    editor.cycle(-1)
    expect(editor.state.chosen).toBe(2)
  })

  test('a mask that is chosen before the masks are there is the one that Enter takes', () => {
    editor.addPrompt(click(1))
    editor.choose(1)
    editor.accept()
    answer(candidate(1, 0.9), candidate(0, 0.7), candidate(2, 0.2))
    expect(editor.state.masks).toMatchObject([{ choice: 0, predictedIou: 0.7 }])
  })

  test('steps from mask to mask before they are there count from the first, both ways and round', () => {
    const three = [candidate(1, 0.9), candidate(0, 0.7), candidate(2, 0.2)] as const
    for (const [steps, chosen] of [
      [[1], 1],
      [[1, 1], 2],
      [[-1], 2],
      [[1, -1], 0],
      [[1, 1, 1], 0],
    ] as const) {
      editor.clear()
      editor.addPrompt(click(1))
      for (const by of steps) expect(editor.cycle(by)).toBe(true)
      answer(...three)
      expect(editor.state.chosen).toBe(chosen)
    }
    editor.clear()
    expect(editor.cycle()).toBe(false)
  })

  test('what was chosen before the answer was for that prompt, and not for the next one', () => {
    editor.addPrompt(click(1))
    editor.choose(2)
    editor.changePrompt(0, click(2))
    answer(candidate(1, 0.9), candidate(0, 0.7), candidate(2, 0.2))
    expect(editor.state.chosen).toBe(0)
    editor.addPrompt(click(3))
    editor.undo()
    editor.clear()
    editor.addPrompt(click(1))
    editor.choose(1)
    editor.undo()
    editor.addPrompt(click(1))
    answer(candidate(1, 0.9), candidate(0, 0.7))
    expect(editor.state.chosen).toBe(0)
  })

  test('with a further prompt the logits of the mask on show go back in', () => {
    editor.addPrompt(click(1))
    answer(candidate(1, 0.9), candidate(0, 0.7))
    editor.choose(1)
    editor.addPrompt(click(2, 0))
    expect(asked[0]!.fedBack).toBeNull()
    expect(asked[1]!.fedBack).toEqual(new Float32Array([0.7]))
    expect(asked[1]!.prompts).toHaveLength(2)
  })

  test('what hands painted on a mask of the model is a person’s will through all clicks that follow', () => {
    const { mask } = candidate(0, 0.9)
    const proposed: AcceptedMask = {
      ...{ id: 'p', mask, counts: '', origin: 'proposed', prompts: [click(1)], predictedIou: 0.9, stability: 0.9 },
      ...{ choice: null, seconds: null, clicks: 0, isNew: false, replaces: null, locked: false, cropBox: null },
    }
    editor.open('photo', [proposed], { height: 1, width: 4 })
    editor.select('p')
    editor.addPrompt(click(2))
    expect(asked.at(-1)!.correcting).toMatchObject({ isModels: true, said: [click(1)] })
    editor.undo()
    editor.select('p')
    editor.paint({ kind: 'stroke', adds: true, diameter: 1, path: [{ x: 0.5, y: 0.5 }] })
    for (const x of [3, 2]) {
      editor.addPrompt(click(x))
      expect(asked.at(-1)!.correcting).toMatchObject({ isModels: false, said: [] })
      answer(candidate(0, 0.9, '1111'))
    }
  })

  describe('a prompt that is moved, or taken away, leaves what hands have painted', () => {
    const pixels = (mask: Bitmask | Float32Array | null) => mask && 'bits' in mask && [mask.box, [...mask.bits]]
    const PAINTED = [[0, 0, 3, 1], [1, 1, 1]]

    beforeEach(() => {
      editor.addPrompt(click(1))
      answer(candidate(0, 0.9, '0110'))
      editor.paint({ kind: 'stroke', adds: true, diameter: 1, path: [{ x: 0.5, y: 0.5 }] })
    })

    test('the strokes go back in with the prompt at its new place', () => {
      editor.changePrompt(0, click(2))
      expect(pixels(asked.at(-1)!.fedBack)).toEqual(PAINTED)
    })

    test('so do those that clicks have changed since', () => {
      editor.addPrompt(click(3))
      answer(candidate(null, 0.9, '0011'))
      editor.changePrompt(1, click(2))
      expect(pixels(asked.at(-1)!.fedBack)).toEqual(PAINTED)
    })

    test('without any prompt they are the object in work', () => {
      editor.addPrompt(click(3))
      answer(candidate(null, 0.9, '0011'))
      editor.changePrompt(1, null)
      answer(candidate(null, 0.9, '0011'))
      editor.changePrompt(0, null)
      expect(editor.state).toMatchObject({ prompts: [], isWaiting: false })
      editor.accept()
      const [made] = editor.state.masks
      expect([pixels(made!.mask), made!.origin]).toEqual([PAINTED, 'brush'])
    })
  })

  test('an answer to an older revision, or for another photo, is dropped', () => {
    editor.addPrompt(click(1))
    const older = asked[0]!.revision
    editor.addPrompt(click(2))
    editor.answered('photo', older, [candidate(0, 0.1)])
    editor.answered('another', asked[1]!.revision, [candidate(0, 0.1)])
    expect(editor.state.candidates).toEqual([])
    answer(candidate(null, 0.8))
    expect(editor.state.candidates).toHaveLength(1)
  })

  test('a second box takes the place of the first', () => {
    editor.addPrompt(box(1))
    editor.addPrompt(click(2))
    editor.addPrompt(box(5))
    expect(editor.state.prompts).toEqual([click(2), box(5)])
  })
})

describe('accepting', () => {
  test('keeps prompts, predicted IoU, the choice, seconds and clicks', () => {
    editor.addPrompt(click(1))
    answer(candidate(2, 0.9))
    expect(editor.accept()).toBe(true)
    expect(editor.state.masks[0]).toMatchObject({
      id: 'new-1',
      origin: 'assisted',
      prompts: [click(1)],
      predictedIou: 0.9,
      choice: 2,
      seconds: 2.5,
      clicks: 1,
    })
    expect(told).toEqual(['put new-1'])
    expect(editor.state.prompts).toEqual([])
  })

  test('keeps which mask of the first prompt was picked, though clicks have refined it since', () => {
    const three = [candidate(1, 0.9), candidate(0, 0.7), candidate(2, 0.2)] as const
    editor.addPrompt(click(1))
    answer(...three)
    editor.cycle()
    editor.addPrompt(click(2, 0))
    answer(candidate(null, 0.8))
    editor.accept()
    editor.addPrompt(click(1))
    answer(...three)
    editor.addPrompt(click(2, 0)) // nobody chose
    answer(candidate(null, 0.8))
    editor.accept()
    expect(editor.state.masks.map(({ choice }) => choice)).toEqual([0, null])
    expect(editor.state.masks[0]!.prompts[0]).toEqual(click(1))
  })

  test('keeps no pick of a prompt that has another place since', () => {
    editor.addPrompt(click(1))
    answer(candidate(1, 0.9), candidate(0, 0.7))
    editor.choose(1)
    editor.addPrompt(click(2, 0))
    answer(candidate(null, 0.8))
    editor.changePrompt(0, click(0))
    answer(candidate(null, 0.8))
    editor.accept()
    expect(editor.state.masks[0]!.choice).toBeNull()
  })

  test('takes no empty mask', () => {
    expect(editor.accept()).toBe(false)
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9, '0000'))
    expect(editor.accept()).toBe(false)
    expect(told).toEqual([])
  })
})

describe('accepting before the answer', () => {
  const stroke = { kind: 'stroke' as const, adds: true, diameter: 1, path: [{ x: 0.5, y: 0.5 }] }

  test('happens with the answer, with the seconds of the key press', () => {
    editor.addPrompt(click(1))
    expect(editor.accept()).toBe(true)
    expect(editor.accept()).toBe(true)
    expect(editor.state).toMatchObject({ isPromised: true, masks: [] })
    seconds = 99
    answer(candidate(0, 0.9), candidate(1, 0.8))
    expect(editor.state).toMatchObject({ isPromised: false, prompts: [] })
    expect(editor.state.masks).toMatchObject([{ predictedIou: 0.9, seconds: 2.5 }])
    expect(told).toEqual(['put new-1'])
  })

  test('leaves what is done meanwhile to the next objects, in its order, one question at a time', () => {
    editor.addPrompt(click(1))
    editor.accept()
    editor.addPrompt(click(2), [candidate(2, 0.1)])
    editor.addPrompt(click(3))
    seconds = 7
    editor.accept()
    editor.paint(stroke)
    expect(asked).toHaveLength(1)
    seconds = 99
    answer(candidate(0, 0.9))
    // Both clicks of the next object are there, and Enter waits for their answer.
    expect(editor.state).toMatchObject({ prompts: [click(2), click(3)], isPromised: true, painted: null })
    answer(candidate(null, 0.8))
    expect(editor.state.masks).toMatchObject([{ prompts: [click(1)] }, { prompts: [click(2), click(3)], seconds: 7 }])
    expect(editor.state.painted).not.toBeNull()
    editor.accept()
    expect(editor.state.masks[2]!.mask).toMatchObject({ box: [0, 0, 1, 1] })
  })

  test.each([
    ['undo', () => editor.undo()],
    ['Escape', () => editor.clear()],
    ['a prompt that is moved', () => editor.changePrompt(0, click(0))],
    ['another photo', () => editor.open('photo', [], { height: 1, width: 4 })],
  ])('is taken back by %s, with what was to come after it', (_, act) => {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.addPrompt(click(2))
    editor.accept()
    editor.addPrompt(click(3))
    editor.whenSettled(() => told.push('submitted'))
    act()
    expect(editor.state.isPromised).toBe(false)
    answer(candidate(null, 0.8))
    expect(told).toEqual([])
    expect(editor.state.prompts).not.toContainEqual(click(3))
  })

  test('takes the mask that is chosen after Enter; once there is a next object the choice is among its masks', () => {
    const three = [candidate(1, 0.9), candidate(0, 0.7), candidate(2, 0.2)] as const
    editor.addPrompt(click(1))
    editor.accept()
    editor.cycle()
    answer(...three)
    expect(editor.state.masks).toMatchObject([{ choice: 0 }])
    editor.addPrompt(click(1))
    editor.accept()
    editor.addPrompt(click(2))
    editor.choose(2)
    answer(...three)
    answer(...three)
    expect(editor.state).toMatchObject({ masks: [{ choice: 0 }, { choice: 1 }], chosen: 2 })
  })

  test('goes before a selection: what was clicked then goes into the mask that is selected', () => {
    editor.addPrompt(click(0))
    answer(candidate(0, 0.9))
    editor.accept()
    editor.addPrompt(click(1))
    editor.accept()
    editor.select('new-1')
    editor.addPrompt(click(3))
    answer(candidate(0, 0.9))
    expect(editor.state).toMatchObject({ refines: 'new-1', prompts: [click(3)] })
    expect(editor.state.masks.map(({ id }) => id)).toEqual(['new-1', 'new-2'])
    // The correction of a mask, which is itself selected after Enter, and one more.
    editor.accept()
    editor.select('new-1')
    editor.alsoSelect('new-2')
    answer(candidate(null, 0.9))
    expect(editor.state.masks.map(({ id }) => id)).toEqual(['new-3', 'new-2'])
    expect(editor.selection()).toEqual(['new-3', 'new-2'])
  })

  test('undone keeps the object in work as it was, and the seconds that it took', () => {
    editor.addPrompt(click(1))
    editor.accept()
    editor.undo()
    expect(editor.state).toMatchObject({ prompts: [click(1)], isWaiting: true })
    answer(candidate(0, 0.9))
    seconds = 1
    editor.accept()
    expect(editor.state.masks).toMatchObject([{ seconds: 3.5 }])
  })

  test.each([
    ['fails', () => editor.failed('photo', asked.at(-1)!.revision)],
    ['is empty', () => answer(candidate(0, 0.9, '0000'))],
    ['is none', () => answer()],
  ])('is said to be off where the answer %s; later clicks do not go into that object', (_, act) => {
    editor.addPrompt(click(1))
    editor.accept()
    editor.addPrompt(click(3))
    editor.whenSettled(() => told.push('submitted'))
    act()
    expect(told).toEqual(['not accepted'])
    expect(editor.state).toMatchObject({ prompts: [click(1)], isPromised: false, masks: [] })
    expect(asked).toHaveLength(1)
  })

  test('goes before the submission of its photo, which is one', () => {
    editor.addPrompt(click(1))
    editor.accept()
    editor.whenSettled(() => told.push('submitted'))
    editor.whenSettled(() => told.push('submitted'))
    answer(candidate(0, 0.9))
    editor.whenSettled(() => told.push('at once'))
    expect(told).toEqual(['put new-1', 'submitted', 'at once'])
  })

  test('an answer that comes while the hand is at a stroke is kept, and the stroke lies on it', () => {
    editor.addPrompt(click(1))
    editor.preview(stroke)
    answer(candidate(0, 0.9, '0110'))
    expect([...flattened(editor.pixelsShown()!).bits]).toEqual([1, 1, 1])
    editor.paint(stroke)
    editor.accept()
    const [mask] = editor.state.masks
    expect([...mask!.mask.bits]).toEqual([1, 1, 1])
    expect(mask).toMatchObject({ origin: 'brush', predictedIou: 0.9 })
  })

  test('what is accepted is told before the object in work is gone', () => {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.store.subscribe(() => told.push(editor.isBusy ? 'in work' : 'gone'))
    editor.accept()
    expect(told[0]).toBe('put new-1')
    expect(told).toContain('gone')
  })

  test('a stroke that is taken back while it waits for an answer leaves what was accepted before it', () => {
    editor.addPrompt(click(1))
    editor.accept()
    editor.paint(stroke)
    editor.takePaintBack()
    answer(candidate(0, 0.9))
    expect(told).toEqual(['put new-1'])
    expect(editor.state.painted).toBeNull()
  })

  test('shows a stroke for the next object without the one before, and keeps all of it', () => {
    editor.addPrompt(click(1))
    editor.accept()
    const long = { ...stroke, path: [{ x: 0.5, y: 0.5 }] }
    editor.preview(long)
    expect(flattened(editor.pixelsShown()!)).toMatchObject({ box: [0, 0, 1, 1] })
    answer(candidate(0, 0.9))
    long.path.push({ x: 3.5, y: 0.5 })
    editor.preview(long)
    editor.paint(long)
    editor.accept()
    expect(editor.state.masks.map(({ mask }) => mask.box)).toEqual([
      [1, 0, 3, 1],
      [0, 0, 4, 1],
    ])
  })
})

test('while an object is in work no other is selected, and that is said: clicks and Delete are never another one’s', () => {
  editor.addPrompt(click(1))
  answer(candidate(0, 0.9))
  editor.accept()
  editor.addPrompt(click(2))
  answer(candidate(0, 0.9))
  editor.select('new-1')
  editor.alsoSelect('new-1')
  expect(told).toEqual(['put new-1', 'not selected', 'not selected'])
  expect(editor.removeSelected()).toBe(false)
  editor.select(null)
  editor.clear()
  editor.select('new-1')
  expect(editor.selection()).toEqual(['new-1'])
  expect(told).toHaveLength(3)
})

describe('others at the photo', () => {
  const theirs = (id: string) => madeByHand(candidate(0, 1).mask, id, null, 0)

  function accepted() {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.accept()
    return editor.state.masks.map(({ id }) => id)
  }

  const shown = () => editor.state.masks.map(({ id }) => id)

  test('what they made is there in all steps, so that no undo takes it away', () => {
    const [own] = accepted()
    expect(editor.meet([...editor.state.masks, theirs('theirs')])).toBe(1)
    expect(shown()).toEqual([own, 'theirs'])
    editor.undo()
    expect(shown()).toEqual(['theirs'])
    expect(told).toEqual([`put ${own}`, `remove ${own}`])
    editor.redo()
    expect(shown()).toContain('theirs')
    expect(shown()).toHaveLength(2)
  })

  test('what they took away is there in no step, and the object in work goes on as one of its own', () => {
    editor.open('photo', [theirs('before')], { height: 1, width: 4 })
    editor.select('before')
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    expect(editor.meet([])).toBe(1)
    expect(editor.state.refines).toBeNull()
    editor.accept()
    expect(told).toEqual(['put new-1'])
    editor.undo()
    editor.undo()
    expect(shown()).toEqual([])
    expect(told).toEqual(['put new-1', 'remove new-1'])
  })

  test('what was corrected here, and then by them, does not come back beside theirs', () => {
    editor.open('photo', [theirs('before')], { height: 1, width: 4 })
    editor.select('before')
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.accept()
    editor.meet([theirs('theirs')]) // in the place of what was accepted here
    expect(shown()).toEqual(['theirs'])
    while (editor.undo()) expect(shown()).toEqual(['theirs'])
    expect(told).toEqual(['put new-1'])
  })

  test('what this page has made, or undone, is nothing new', () => {
    const [own] = accepted()
    expect(editor.meet(editor.state.masks)).toBe(0)
    const stored = editor.state.masks
    editor.undo()
    editor.meet(stored) // the server has not heard of it yet
    expect(shown()).toEqual([])
    expect(own).toBe('new-1')
  })
})

describe('a mask that the server does not take, and that was given up', () => {
  const shown = () => editor.state.masks.map(({ id }) => id)
  function accept(x: number): void {
    editor.addPrompt(click(x))
    answer(candidate(0, 0.9))
    editor.accept()
  }

  test('is on the photo no more, and no undo or redo names it', () => {
    accept(1)
    accept(2)
    editor.drop('new-1', null)
    expect(shown()).toEqual(['new-2'])
    while (editor.undo()) expect(shown()).not.toContain('new-1')
    while (editor.redo());
    expect(shown()).toHaveLength(1)
    expect(told.filter(one => one.includes('new-1'))).toEqual(['put new-1'])
  })

  test('leaves what it was to take the place of, which the server has still', () => {
    editor.open('photo', [madeByHand(candidate(0, 1).mask, 'before', null, 0)], { height: 1, width: 4 })
    editor.select('before')
    accept(1)
    editor.drop('new-1', 'before')
    expect(shown()).toEqual(['before'])
    while (editor.undo()) expect(shown()).toEqual(['before'])
    expect(told).toEqual(['put new-1'])
  })

  test('goes under what was made of it: that takes the place of what it replaced', () => {
    editor.open('photo', [madeByHand(candidate(0, 1).mask, 'before', null, 0)], { height: 1, width: 4 })
    editor.select('before')
    accept(1)
    editor.select('new-1')
    accept(2)
    editor.drop('new-1', 'before')
    expect(editor.state.masks).toMatchObject([{ id: 'new-2', replaces: 'before' }])
    editor.undo()
    expect(told.slice(2)).toEqual(['put new-3'])
    expect(editor.state).toMatchObject({ masks: [{ id: 'new-3' }], refines: 'new-3' })
  })
})

test('after a failed answer the mask of the prompts before is not taken for these', () => {
  editor.addPrompt(click(1))
  answer(candidate(0, 0.9))
  editor.addPrompt(click(2, 0))
  editor.failed('photo', asked[1]!.revision - 1)
  expect(editor.state.isWaiting).toBe(true)
  editor.failed('photo', asked[1]!.revision)
  expect(editor.state.isWaiting).toBe(false)
  expect(editor.accept()).toBe(false)
  expect(told).toEqual([])
})

test('without a photo there is nothing to undo or to remove', () => {
  editor.addPrompt(click(1))
  answer(candidate(0, 0.9))
  editor.accept()
  editor.close()
  editor.undo()
  editor.remove('new-1')
  expect(editor.state.masks).toEqual([])
  expect(told).toEqual(['put new-1'])
})

describe('undo', () => {
  test('takes one prompt back with its mask, without asking the decoder again', () => {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.addPrompt(click(2))
    answer(candidate(null, 0.95))
    editor.undo()
    expect(editor.state.prompts).toEqual([click(1)])
    expect(editor.state.candidates[0]!.predictedIou).toBe(0.9)
    editor.redo()
    expect(editor.state.candidates[0]!.predictedIou).toBe(0.95)
    expect(asked).toHaveLength(2)
  })

  test('asks again where the answer had not come before the next prompt', () => {
    editor.addPrompt(click(1))
    editor.addPrompt(click(2))
    answer(candidate(null, 0.95))
    editor.undo()
    expect(editor.state.isWaiting).toBe(true)
    expect(asked.at(-1)!.prompts).toEqual([click(1)])
    answer(candidate(0, 0.5))
    expect(editor.state.candidates[0]!.predictedIou).toBe(0.5)
  })

  test('of an accepted object removes it on the server, and redo is a new row', () => {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.accept()
    editor.undo()
    expect(editor.state.prompts).toEqual([click(1)])
    editor.redo()
    expect(told).toEqual(['put new-1', 'remove new-1', 'put new-2'])
    expect(editor.state.masks.map(({ id }) => id)).toEqual(['new-2'])
    editor.undo()
    editor.redo()
    expect(told.slice(3)).toEqual(['remove new-2', 'put new-3'])
  })

  describe('of an accepted object, and its seconds', () => {
    function accept(x: number, spent: number): void {
      editor.addPrompt(click(x))
      answer(candidate(0, 0.9))
      seconds = spent
      editor.accept()
      seconds = 0
    }
    const counted = () => editor.state.masks.map(mask => mask.seconds)

    test('the object that is accepted after all has them, and those since', () => {
      accept(1, 20)
      editor.undo()
      editor.addPrompt(click(2))
      answer(candidate(null, 0.9))
      seconds = 3
      editor.accept()
      expect(counted()).toEqual([23])
    })

    test('redo takes them back: the next object has its own alone', () => {
      accept(1, 20)
      accept(2, 7)
      while (editor.undo());
      while (editor.redo());
      expect(counted()).toEqual([20, 7])
      accept(3, 5)
      expect(counted()).toEqual([20, 7, 5])
    })

    test('a correction that is undone leaves none, since the server counts it with what takes its place', () => {
      accept(1, 20)
      editor.select('new-1')
      accept(2, 6)
      editor.undo()
      editor.clear()
      accept(3, 5)
      expect(counted().at(-1)).toBe(5)
    })

    test('a removal that is undone and done again gives the next object none', () => {
      accept(1, 20)
      editor.remove('new-1')
      editor.undo()
      editor.redo()
      accept(2, 5)
      expect(counted()).toEqual([5])
    })
  })

  test('of a removal brings the object back', () => {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    editor.accept()
    editor.remove('new-1')
    expect(editor.state.masks).toEqual([])
    editor.undo()
    expect(told).toEqual(['put new-1', 'remove new-1', 'put new-2'])
    expect(editor.state.masks).toHaveLength(1)
  })

  test('does not go back beyond the opening of the photo', () => {
    editor.addPrompt(click(1))
    editor.open('photo 2', [], { height: 1, width: 4 })
    editor.undo()
    expect(editor.state.prompts).toEqual([])
    expect(editor.state.photo).toBe('photo 2')
  })

  test('brings a given-up object back', () => {
    editor.addPrompt(click(1))
    answer(candidate(0, 0.9))
    expect(editor.clear()).toBe(true)
    expect(editor.clear()).toBe(false)
    editor.undo()
    expect(editor.state.candidates).toHaveLength(1)
  })

  test.each(['accepted just now', 'there before'])(
    'brings the last click of a correction back, of a mask that was %s',
    when => {
      const before = madeByHand(candidate(0, 1).mask, 'before', null, 0)
      editor.open('photo', [before], { height: 1, width: 4 })
      editor.addPrompt(click(1))
      answer(candidate(0, 0.9))
      editor.accept()
      const [older, own] = editor.state.masks.map(({ id }) => id)
      const corrected = when === 'there before' ? older! : own!
      editor.select(corrected)
      editor.addPrompt(click(2))
      answer(candidate(null, 0.9))
      editor.changePrompt(0, null)
      expect(editor.state).toMatchObject({ selected: corrected, prompts: [] })
      expect(editor.undo()).toBe(true)
      expect(editor.state).toMatchObject({ refines: corrected, prompts: [click(2)] })
      expect(editor.state.masks.map(({ id }) => id)).toEqual([older, own])
      expect(told).toEqual(['put new-1'])
    },
  )

  test('keeps fewer steps where their answers are large, but never fewer than twenty', () => {
    const large = (): Candidate => ({ ...candidate(null, 0.9), logits: new Float32Array(8 * 2 ** 20) }) // 32 MiB
    for (let clicks = 0; clicks < 40; clicks++) {
      editor.addPrompt(click(clicks))
      answer(large())
    }
    expect(editor.state.past).toHaveLength(20)
    editor.open('photo', [], { height: 1, width: 4 })
    for (let clicks = 0; clicks < 40; clicks++) {
      editor.addPrompt(click(clicks))
      answer(candidate(null, 0.9))
    }
    expect(editor.state.past).toHaveLength(40)
  })
})
