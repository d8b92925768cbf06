import { serialize } from 'node:v8'
import { expect, test } from 'vitest'
import { shownMask } from '@/features/workspace/editor/document'
import { Editor } from '@/features/workspace/editor/editor'
import { packedDraft } from '@/features/workspace/editor/steps'
import { DraftKeeper, type DraftStore } from '@/features/workspace/saving/drafts'

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
