import { beforeEach, describe, expect, test } from 'vitest'
import { madeByHand } from '@/features/workspace/editor/document'
import { Editor } from '@/features/workspace/editor/editor'
import { abortWithObject } from '@/features/workspace/editor/sameObject'
import { storedPrompt } from '@/features/workspace/saving/maskBody'
import { isAmbiguous, type Prompt, textToken, toModelFrame } from '@/shared/geometry/modelFrame'
import { mask } from '../shared/plain'

const SIZE = { height: 30, width: 40 }
const words: Prompt = { kind: 'text', words: 'a wheel', token: [0.5, -1] }
const click: Prompt = { kind: 'point', at: { x: 3, y: 4 }, label: 1 }

test('words go in as their token, beside the points, and alone with the padding point', () => {
  expect([...textToken([click, words])]).toEqual([0.5, -1])
  expect(textToken([click])).toHaveLength(0)
  expect([...toModelFrame([words], SIZE, 64).labels]).toEqual([-1])
  expect([...toModelFrame([words, click], SIZE, 64).labels]).toEqual([1, -1])
})

describe('words that are still being read', () => {
  let editor: Editor
  let abort: AbortController

  beforeEach(() => {
    editor = new Editor({ ask: () => {}, put: () => {}, remove: () => {}, notAccepted: () => {}, newId: () => 'new', secondsSpent: () => 1 })
    const masks = ['a', 'b'].map(id => madeByHand(mask('#'), id, null, 0))
    editor.open('photo', masks, { height: 4, width: 4 })
    editor.addPrompt(click)
    abort = new AbortController()
    abortWithObject(editor, abort)
  })
  const answer = () =>
    editor.answered('photo', editor.state.revision, [
      { index: 0, predictedIou: 0.9, stability: 0.9, logits: new Float32Array(1), mask: mask('#'), region: null },
    ])

  test.each([
    ['that was given up', () => editor.clear()],
    ['that was accepted', () => { answer(); editor.accept() }],
    ['that Enter was pressed for', () => editor.accept()],
    ['of another photo', () => editor.open('photo 2', [], { height: 4, width: 4 })],
  ])('are dropped with the object %s', (_, act) => {
    act()
    expect(abort.signal.aborted).toBe(true)
  })

  test('go with the clicks of their object, and with the first click of the next one', () => {
    editor.addPrompt({ ...click, label: 0 })
    answer()
    expect(abort.signal.aborted).toBe(false)
    editor.accept()
    const next = new AbortController()
    abortWithObject(editor, next)
    editor.addPrompt(click)
    expect(next.signal.aborted).toBe(false)
  })

  test('said after Enter are for the next object', () => {
    editor.accept()
    const next = new AbortController()
    abortWithObject(editor, next)
    answer()
    editor.addPrompt(click)
    expect([abort.signal.aborted, next.signal.aborted]).toEqual([true, false])
    editor.clear()
    expect(next.signal.aborted).toBe(true)
  })

  test('said after Enter are dropped where the object is not accepted after all', async () => {
    editor.accept()
    const next = new AbortController()
    abortWithObject(editor, next)
    editor.breakPromise()
    await Promise.resolve()
    expect(next.signal.aborted).toBe(true)
  })

  test('correct the mask that was selected then, and no other', () => {
    editor.clear()
    editor.select('a')
    const [own, other] = [new AbortController(), new AbortController()]
    const stop = abortWithObject(editor, own)
    editor.addPrompt(click)
    expect(own.signal.aborted).toBe(false)
    stop()
    editor.clear()
    editor.select('a')
    abortWithObject(editor, other)
    editor.select('b')
    expect([own.signal.aborted, other.signal.aborted]).toEqual([false, true])
  })
})

test('lone words are ambiguous, words with a click are not', () => {
  expect(isAmbiguous([words])).toBe(true)
  expect(isAmbiguous([words, click])).toBe(false)
})

test('the server is told the words, not the token', () => {
  expect(storedPrompt(words)).toEqual({ kind: 'text', words: 'a wheel' })
})
