import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Editor } from '@/features/workspace/editor/editor'
import { leaveOnceAccepted } from '@/features/workspace/leaving'
import { mask } from '../shared/plain'

let editor: Editor
let told: string[]

beforeEach(() => {
  vi.useFakeTimers()
  told = []
  let ids = 0
  editor = new Editor({
    ask: () => {},
    put: ({ id }) => told.push(`put ${id}`),
    remove: () => {},
    notAccepted: () => told.push('not accepted'),
    newId: () => `n${++ids}`,
    secondsSpent: () => 1,
  })
  editor.open('photo', [], { height: 1, width: 4 })
})
afterEach(() => void vi.useRealTimers())

const click = () => editor.addPrompt({ kind: 'point', at: { x: 1, y: 0.5 }, label: 1 })
const answer = () =>
  editor.answered('photo', editor.state.revision, [
    { index: 0, predictedIou: 0.9, stability: 0.9, logits: new Float32Array(1), mask: mask('.#..'), region: null },
  ])
const leave = () =>
  leaveOnceAccepted(
    editor,
    () => told.push('left'),
    () => told.push('unfinished'),
  )

test('who leaves right after Enter leaves with the object accepted, and what waited for it submitted', () => {
  click()
  editor.accept()
  editor.whenSettled(() => told.push('submitted'))
  leave()
  vi.advanceTimersByTime(1000)
  expect(told).toEqual([])
  answer()
  vi.advanceTimersByTime(5000)
  expect(told).toEqual(['put n1', 'submitted', 'left'])
})

test('an object that was clicked and accepted meanwhile is waited for, too', () => {
  click()
  editor.accept()
  click()
  editor.accept()
  leave()
  answer()
  vi.advanceTimersByTime(1)
  expect(told).toEqual(['put n1'])
  answer()
  vi.advanceTimersByTime(1)
  expect(told).toEqual(['put n1', 'put n2', 'left'])
})

test('where the answer does not come in two seconds it is said that the object was not accepted, and it stays in work', () => {
  click()
  editor.accept()
  leave()
  vi.advanceTimersByTime(1990)
  expect(told).toEqual([])
  vi.advanceTimersByTime(20)
  expect(told).toEqual(['unfinished', 'left'])
  expect(editor.draft()).not.toBeNull()
})

test('without a promise, whatever is in work, nothing is waited for', () => {
  click()
  leave()
  expect(told).toEqual(['left'])
})

test('who goes elsewhere in between is not taken away from there', () => {
  click()
  editor.accept()
  leave()()
  vi.advanceTimersByTime(5000)
  answer()
  vi.advanceTimersByTime(5000)
  expect(told).toEqual(['put n1'])
})
