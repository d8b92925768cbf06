import { expect, test, vi } from 'vitest'
import type { Candidate } from '@/features/workspace/decoder/protocol'
import { Editor } from '@/features/workspace/editor/editor'
import { submit } from '@/features/workspace/submit'
import type { Workbench } from '@/features/workspace/workbench'

const size = { height: 4, width: 4 }
const found: Candidate = {
  index: null,
  predictedIou: 0.9,
  stability: 0.9,
  logits: new Float32Array([1]),
  region: null,
  mask: { size, box: [0, 0, 1, 1], bits: new Uint8Array([1]) },
}

const leased = (id: string, image: string) => ({ id, image: { id: image }, job: 'annotate', masks: [] })

/** A photo on which Enter and the submission came before the model's answer. */
function promised() {
  const editor: Editor = new Editor({
    ask: () => {},
    put: () => {},
    remove: () => {},
    notAccepted: () => {},
    newId: () => 'mask',
    secondsSpent: () => 0,
  })
  editor.open('photo', [], size)
  const sent: unknown[] = []
  const onSubmit = vi.fn()
  const bench = {
    assignment: leased('old', 'photo'),
    editor,
    hand: { gesture: { name: 'idle' } },
    shelf: { get: () => ({ picture: {} }) },
    openedAt: -1e6,
    outbox: { add: (operation: unknown) => sent.push(operation) },
    surroundings: { onSubmit, onError: vi.fn() },
  }
  editor.addPrompt({ kind: 'point', at: { x: 1, y: 1 }, label: 1 })
  submit(bench as unknown as Workbench, { complete: true })
  expect(sent).toEqual([])
  const answer = () => editor.answered('photo', editor.state.revision, [found])
  return { bench, sent, onSubmit, answer }
}

test('a photo is submitted under the lease that it has when its last object is there, not the one of the key press', () => {
  const { bench, sent, onSubmit, answer } = promised()
  bench.assignment = leased('new', 'photo') // the old one ran out
  answer()
  expect(sent).toEqual([
    { kind: 'submit', image: 'photo', assignment: 'new', masks: ['mask'], complete: true },
  ])
  expect(onSubmit).toHaveBeenCalledWith(bench.assignment)
})

test('another photo that is there by then is not submitted', () => {
  const { bench, sent, onSubmit, answer } = promised()
  bench.assignment = leased('next', 'another photo')
  answer()
  expect(sent).toEqual([])
  expect(onSubmit).not.toHaveBeenCalled()
})
