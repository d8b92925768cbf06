import { serialize } from 'node:v8'
import { expect, test } from 'vitest'
import { type AcceptedMask, madeByHand, shownMask } from '@/features/workspace/editor/document'
import { packedDraft } from '@/features/workspace/editor/draft'
import { Editor } from '@/features/workspace/editor/editor'
import { DraftKeeper, type DraftStore } from '@/features/workspace/saving/drafts'
import type { Bitmask } from '@/shared/geometry/bitmask'

function storeOf(kept: Map<string, unknown>, gate: () => Promise<void> = async () => {}): DraftStore & { writes: number } {
  const store = {
    writes: 0,
    read: async (photo: string) => structuredClone(kept.get(photo)),
    write: async (photo: string, draft: unknown) => {
      store.writes++
      await gate()
      kept.set(photo, structuredClone(draft))
    },
    remove: async (photo: string) => void kept.delete(photo),
  }
  return store
}

test('the newest draft is kept, and those that it has overtaken are not written', async () => {
  const kept = new Map<string, unknown>()
  let open = () => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  const store = storeOf(kept, () => gate)
  const drafts = new DraftKeeper(store)
  for (let n = 0; n < 50; n++) drafts.keep('photo', { n } as never)
  open()
  expect(await drafts.read('photo')).toEqual({ n: 49 })
  expect(store.writes).toBe(2)
  drafts.keep('photo', null)
  expect(await drafts.read('photo')).toBeUndefined()
})

test('a draft goes only after what became of it is in the journal', async () => {
  const kept = new Map<string, unknown>([['photo', { n: 1 }]])
  let written = () => {}
  const journal = new Promise<void>(resolve => {
    written = resolve
  })
  const drafts = new DraftKeeper(storeOf(kept), () => journal)
  drafts.keep('photo', null)
  await new Promise(resolve => setTimeout(resolve))
  expect(kept.has('photo')).toBe(true)
  written()
  await drafts.read('photo')
  expect(kept.has('photo')).toBe(false)
})

test('a draft of one photo is not overtaken by that of another', async () => {
  const kept = new Map<string, unknown>()
  const drafts = new DraftKeeper(storeOf(kept))
  drafts.keep('one', 1 as never)
  drafts.keep('one', 2 as never)
  drafts.keep('two', 3 as never)
  await drafts.read('two')
  expect([await drafts.read('one'), await drafts.read('two')]).toEqual([2, 3])
})

const effects = () => {
  const asked: unknown[] = []
  return { asked, ask: (...what: unknown[]) => void asked.push(what), put: () => {}, remove: () => {}, newId: () => 'id', secondsSpent: () => 0 }
}
const size = { height: 40, width: 60 }
const answer = () => ({
  index: null,
  predictedIou: 0.9,
  stability: 0.9,
  logits: new Float32Array(4).fill(1),
  region: null,
  mask: { size, box: [0, 0, 2, 1] as [number, number, number, number], bits: new Uint8Array([1, 1]) },
})

function open(own: ReturnType<typeof effects>): Editor {
  const editor = new Editor(own as never)
  editor.open('photo', [], size)
  return editor
}

test('the object in work goes on after a reload, with the very logits that go back in', () => {
  const before = open(effects())
  expect(before.draft()).toBeNull()
  before.addPrompt({ kind: 'point', at: { x: 1, y: 1 }, label: 1 })
  before.answered('photo', before.state.revision, [answer()])
  const kept = structuredClone(before.draft())
  const own = effects()
  const after = open(own)
  after.restore(kept)
  expect(after.state.prompts).toEqual(before.state.prompts)
  expect(after.state.candidates).toEqual(before.state.candidates)
  expect(own.asked).toEqual([])
  expect(after.accept()).toBe(true)
  expect(after.draft()).toBeNull()
  after.undo()
  after.undo()
  expect(after.draft()).toBeNull()
})

test('after a reload the clicks are taken back one by one, not the whole object at once', () => {
  const before = open(effects())
  for (const x of [1, 2, 3]) {
    before.addPrompt({ kind: 'point', at: { x, y: 1 }, label: 1 })
    before.answered('photo', before.state.revision, [answer()])
  }
  const own = effects()
  const after = open(own)
  after.restore(structuredClone(before.draft()))
  expect(own.asked).toEqual([])
  after.undo()
  expect(after.state.prompts).toEqual(before.state.prompts.slice(0, 2))
  expect(after.state.isWaiting).toBe(true) // what two clicks give is asked again
  expect(own.asked).toHaveLength(1)
  after.answered('photo', after.state.revision, [answer()])
  after.redo()
  expect(after.state.candidates).toEqual(before.state.candidates)
  after.undo()
  after.undo()
  expect(after.state.prompts).toHaveLength(1)
  after.undo()
  expect(after.draft()).toBeNull()
})

/** One row of pixels, from x0 up to x1. */
const row = (x0: number, x1: number): Bitmask => ({
  size,
  box: [x0, 0, x1, 1],
  bits: new Uint8Array(x1 - x0).fill(1),
})
const click = (x: number) => ({ kind: 'point', at: { x, y: 0.5 }, label: 1 }) as const
const stroke = (x: number) => ({ kind: 'stroke', adds: true, diameter: 3, path: [{ x, y: 20 }] }) as const

/** The page as it is after a reload: what the drafts kept, and the masks of the photo. */
function reloaded(before: Editor, masks: readonly AcceptedMask[] = []) {
  const own = effects()
  const after = open(own)
  after.open('photo', masks, size)
  after.restore(structuredClone(packedDraft(before.draft()!)))
  return { after, asked: own.asked as [string, number, unknown[], unknown][] }
}

test('of a mask that is corrected, clicks taken back after a reload ask what they asked before', () => {
  const mask = madeByHand(row(0, 10), 'mask', null, 0)
  const own = effects()
  const before = open(own)
  before.open('photo', [mask], size)
  before.select('mask')
  for (const x of [12, 14, 16]) {
    before.addPrompt(click(x))
    before.answered('photo', before.state.revision, [{ ...answer(), mask: row(0, x) }])
  }
  const asked = own.asked as unknown[][]
  const { after, asked: again } = reloaded(before, [mask])
  for (const clicks of [2, 1]) {
    after.undo()
    expect(again.at(-1)!.slice(2)).toEqual(asked[clicks - 1]!.slice(2))
    after.answered('photo', after.state.revision, [answer()])
  }
  // The first click went onto the mask itself, the second onto what the first had made of it.
  expect(again.map(([, , , fedBack]) => (fedBack as Bitmask).box)).toEqual([
    [0, 0, 12, 1],
    [0, 0, 10, 1],
  ])
  after.undo()
  expect(after.draft()).toBeNull()
})

test('strokes under clicks are still there when the clicks are taken back after a reload', () => {
  const own = effects()
  const before = open(own)
  before.paint(stroke(20))
  before.paint(stroke(30))
  const painted = shownMask(before.state)!
  for (const x of [31, 32, 33]) {
    before.addPrompt(click(x))
    before.answered('photo', before.state.revision, [answer()])
  }
  const { after, asked } = reloaded(before)
  for (const clicks of [2, 1]) {
    after.undo()
    expect(asked.at(-1)!.slice(2)).toEqual((own.asked as unknown[][])[clicks - 1]!.slice(2))
    after.answered('photo', after.state.revision, [answer()])
  }
  after.undo()
  expect(after.state).toMatchObject({ prompts: [], isWaiting: false })
  expect(shownMask(after.state)).toEqual(painted)
  expect(asked).toHaveLength(2)
  expect(after.accept()).toBe(true)
  expect(after.state.masks[0]!.mask).toEqual(painted)
})

test('clicks under strokes are taken back after them, and none is asked before its answer was there', () => {
  const before = open(effects())
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, [answer()])
  before.paint(stroke(20))
  before.addPrompt(click(6)) // and the next before its answer
  before.addPrompt(click(7))
  before.answered('photo', before.state.revision, [answer()])
  before.paint(stroke(30))
  before.paint(stroke(40))
  const { after, asked } = reloaded(before)
  const seen: number[] = []
  while (after.draft()) {
    seen.push(after.state.prompts.length)
    if (after.state.isWaiting) after.answered('photo', after.state.revision, [answer()])
    after.undo()
  }
  // Three clicks with strokes over them, three, two, one with a stroke over it, one.
  expect(seen).toEqual([3, 3, 2, 1, 1])
  expect(asked.map(([, , prompts]) => prompts.length)).toEqual([3, 2, 1])
})

test('a draft keeps its steps over a second reload, and of a mask that is gone meanwhile it is an object of its own', () => {
  const mask = madeByHand(row(0, 10), 'mask', null, 0)
  const before = open(effects())
  before.open('photo', [mask], size)
  before.select('mask')
  before.paint(stroke(20))
  for (const x of [12, 14]) {
    before.addPrompt(click(x))
    before.answered('photo', before.state.revision, [answer()])
  }
  const { after } = reloaded(before, [mask])
  const { after: twice } = reloaded(after)
  const refines: (string | null)[] = []
  for (; twice.draft(); twice.undo()) refines.push(twice.state.refines)
  expect(refines).toEqual([null, null, null])
})

test('a draft is kept as run lengths, and comes back pixel for pixel; so does one that was kept as pixels', () => {
  const before = open(effects())
  before.addPrompt({ kind: 'point', at: { x: 1, y: 1 }, label: 1 })
  before.answered('photo', before.state.revision, [answer()])
  before.paint({ kind: 'stroke', adds: true, diameter: 9, path: [{ x: 20, y: 20 }] })
  for (const kept of [packedDraft(before.draft()!), before.draft()]) {
    const after = open(effects())
    after.restore(structuredClone(kept))
    expect(shownMask(after.state)).toEqual(shownMask(before.state))
  }
  const large = { height: 3000, width: 4000 }
  const editor = open(effects())
  editor.open('photo', [], large)
  editor.addPrompt({ kind: 'point', at: { x: 1, y: 1 }, label: 1 })
  const all = () => ({ size: large, box: [0, 0, 4000, 3000] as [number, number, number, number], bits: new Uint8Array(12e6).fill(1) })
  editor.answered('photo', editor.state.revision, [0, 1, 2].map(index => ({ ...answer(), index: index as 0, mask: all() })))
  expect(serialize(packedDraft(editor.draft()!)).byteLength).toBeLessThan(5000)
})

test('a draft whose answer was still awaited is asked for again', () => {
  const before = open(effects())
  before.addPrompt({ kind: 'point', at: { x: 1, y: 1 }, label: 1 })
  const own = effects()
  open(own).restore(structuredClone(before.draft()))
  expect(own.asked.length).toBe(1)
})

test('a draft does not take the place of what is in work already, and nonsense is no draft', () => {
  const editor = open(effects())
  for (const nonsense of [undefined, null, {}, { prompts: 3 }, { prompts: [] }]) editor.restore(nonsense)
  expect(editor.draft()).toBeNull()
  editor.addPrompt({ kind: 'point', at: { x: 5, y: 5 }, label: 1 })
  editor.restore({ prompts: [{ kind: 'point', at: { x: 1, y: 1 }, label: 1 }] })
  expect(editor.state.prompts).toEqual([{ kind: 'point', at: { x: 5, y: 5 }, label: 1 }])
})

const LOGITS = 256 * 256
/** The three masks of a lone click, each with logits of its own. */
const three = () =>
  ([0, 1, 2] as const).map(index => ({ ...answer(), index, logits: new Float32Array(LOGITS).fill(index + 1), mask: row(0, 10 + index) }))
const one = (value: number) => ({ ...answer(), logits: new Float32Array(LOGITS).fill(value) })
const bytes = (editor: Editor) => serialize(packedDraft(editor.draft()!)).byteLength

test('of the logits a draft keeps those that go back in with the next click, and no others', () => {
  const own = effects()
  const before = open(own)
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, three())
  before.choose(1)
  expect(bytes(before)).toBeLessThan(4 * LOGITS + 5000)
  const { after, asked } = reloaded(before)
  expect(after.state.candidates.map(({ mask }) => mask)).toEqual(before.state.candidates.map(({ mask }) => mask))
  for (const editor of [before, after]) editor.addPrompt(click(6))
  expect(asked).toHaveLength(1)
  expect(asked[0]!.slice(2)).toEqual((own.asked as unknown[][]).at(-1)!.slice(2))
  expect(asked[0]![3]).toEqual(new Float32Array(LOGITS).fill(2))
  // While the answer is awaited what went in is kept, and once: it is what is on show.
  expect(bytes(before)).toBeLessThan(4 * LOGITS + 5000)
  before.answered('photo', before.state.revision, [one(7)])
  expect(bytes(before)).toBeLessThan(4 * LOGITS + 5000)
  const again = reloaded(before)
  again.after.addPrompt(click(7))
  expect(again.asked.at(-1)![3]).toEqual(new Float32Array(LOGITS).fill(7))
})

test('of a mask that is corrected a draft keeps no logits, for its pixels go in', () => {
  const mask = madeByHand(row(0, 10), 'mask', null, 0)
  const before = open(effects())
  before.open('photo', [mask], size)
  before.select('mask')
  before.addPrompt(click(12))
  before.answered('photo', before.state.revision, [{ ...one(1), mask: row(0, 12) }])
  expect(bytes(before)).toBeLessThan(5000)
  const { after, asked } = reloaded(before, [mask])
  expect(asked).toEqual([])
  after.addPrompt(click(14))
  expect(asked.at(-1)![3]).toMatchObject({ box: [0, 0, 12, 1] })
})

test('another mask that is chosen after a reload is asked for again, stays chosen, and its logits go back in', () => {
  const before = open(effects())
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, three())
  const { after, asked } = reloaded(before)
  after.choose(2)
  after.choose(1)
  expect(shownMask(after.state)).toMatchObject({ box: [0, 0, 11, 1] }) // at once
  expect(asked.map(([, , ...what]) => what)).toEqual([[[click(5)], null, null]])
  // A page that is closed before the answer leaves it to the next one.
  const next = reloaded(after)
  expect(next.asked).toHaveLength(1)
  for (const editor of [after, next.after]) {
    editor.answered('photo', editor.state.revision, three().toReversed())
    expect(editor.state).toMatchObject({ isWaiting: false, chosen: 1 })
    editor.choose(0)
    expect(editor.state.isWaiting).toBe(false)
    editor.choose(1)
    editor.addPrompt(click(6))
  }
  for (const own of [asked, next.asked]) {
    expect(own).toHaveLength(2)
    expect(own[1]![3]).toEqual(new Float32Array(LOGITS).fill(2))
  }
})

test('a mask that is chosen after a reload is accepted as it was chosen, though the model is still at it', () => {
  const before = open(effects())
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, three())
  const { after } = reloaded(before)
  after.choose(2)
  expect(after.accept()).toBe(true)
  after.answered('photo', after.state.revision, three().toReversed())
  expect(after.state.masks[0]).toMatchObject({ choice: 2, mask: { box: [0, 0, 12, 1] } })
})

test('without an answer the clicks alone go in with the next one', () => {
  const before = open(effects())
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, three())
  const { after, asked } = reloaded(before)
  after.choose(1)
  after.failed('photo', after.state.revision)
  after.addPrompt(click(6))
  expect(asked.at(-1)!.slice(2)).toEqual([[click(5), click(6)], null, null])
})

test('the seconds of an object survive the reload, and are counted once', () => {
  const own = (spent: number) => ({ ...effects(), secondsSpent: () => spent, secondsSoFar: () => spent })
  const before = open(own(20))
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, [answer()])
  const kept = structuredClone(packedDraft(before.draft()!))
  const after = open(own(3))
  after.restore(kept)
  after.accept()
  after.paint(stroke(20))
  after.accept()
  expect(after.state.masks.map(({ seconds }) => seconds)).toEqual([23, 3])
})

test('which mask of the first click was picked survives the reload of an object that was refined since', () => {
  const before = open(effects())
  before.addPrompt(click(5))
  before.answered('photo', before.state.revision, three())
  before.choose(2)
  before.addPrompt(click(6))
  before.answered('photo', before.state.revision, [answer()])
  const { after } = reloaded(before)
  after.accept()
  expect(after.state.masks[0]!.choice).toBe(2)
})
