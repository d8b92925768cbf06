import { notifications } from '@mantine/notifications'
import { createElement } from 'react'
import { beforeEach, expect, test, vi } from 'vitest'
import { createStore } from 'zustand/vanilla'
import { run } from '@/features/workspace/commands'
import { type AcceptedMask, madeByHand } from '@/features/workspace/editor/document'
import { Editor } from '@/features/workspace/editor/editor'
import { Look } from '@/features/workspace/editor/look'
import { commandOf, keymapOf } from '@/features/workspace/keymap'
import { InWork } from '@/features/workspace/panels/SidePanel'
import type { Workbench } from '@/features/workspace/workbench'
import { mask } from '../shared/plain'
import { rendered } from '../shared/rendered'

let editor: Editor
let look: Look
let bench: Workbench

beforeEach(() => {
  editor = new Editor({
    ask: () => {},
    put: () => {},
    remove: () => {},
    notAccepted: () => {},
    newId: () => 'new',
    secondsSpent: () => 1,
  })
  look = new Look(() => {
    throw new Error('forbidden')
  })
  bench = { editor, look, touch: () => {}, isWatching: false } as unknown as Workbench
})

/** Masks of so many pixels, by their names; those in capitals are locked. */
function open(pixels: Record<string, number>): void {
  const masks = Object.entries(pixels).map(([id, area]): AcceptedMask => {
    const made = madeByHand(mask('#'.repeat(area) + '.'.repeat(9 - area)), id, null, 0)
    return { ...made, locked: id === id.toUpperCase() }
  })
  editor.open('photo', masks, { height: 1, width: 9 })
}

function walk(command: 'next object' | 'previous object', steps: number): (string | null)[] {
  return Array.from({ length: steps }, () => {
    run(command, bench)
    return editor.state.selected
  })
}

test('the next mask is the next that may be touched: keys go past locked ones, both ways and round', () => {
  open({ A: 1, b: 1, C: 1, D: 1, e: 1 })
  expect(walk('next object', 3)).toEqual(['b', 'e', 'b'])
  editor.select(null)
  expect(walk('previous object', 3)).toEqual(['e', 'b', 'e'])
})

test('where all are locked there is no next mask, and the browser has the key', () => {
  open({ A: 1 })
  expect(run('next object', bench)).toBe(false)
})

test('the next mask is the next of the list, however that is sorted', () => {
  open({ a: 1, b: 3, c: 2 })
  look.setOrder('size')
  expect(walk('next object', 3)).toEqual(['b', 'c', 'a'])
})

test('of a mask that is shown alone the next one is itself, and with several selected it stays selected alone', () => {
  open({ a: 1, b: 1, c: 1 })
  editor.select('b')
  editor.alsoSelect('c')
  expect(run('isolate', bench)).toBe(true)
  expect(editor.selection()).toEqual(['b'])
  expect(walk('next object', 2)).toEqual(['b', 'b'])
  run('delete', { ...bench, hand: { back: () => false } } as unknown as Workbench)
  expect(editor.state.masks.map(({ id }) => id)).toEqual(['a', 'c'])
})

test('an object can be accepted by the button as by Enter: before the answer, too, and where there is no mask it is said', () => {
  const shown = vi.spyOn(notifications, 'show').mockImplementation(() => '')
  vi.spyOn(notifications, 'hide').mockImplementation(() => '')
  open({})
  const withHand = { ...bench, hand: { confirm: () => false } } as unknown as Workbench
  const button = () => {
    const seen = { store: createStore(() => editor.state) }
    const html = rendered(createElement(InWork, { editor: seen, own: {}, run: () => {} } as never))
    return html.match(/<button(?:(?!<button).)*?Accept/s)![0]
  }
  editor.addPrompt({ kind: 'point', at: { x: 1, y: 0 }, label: 1 })
  expect(button()).not.toContain('disabled')
  run('accept', withHand)
  expect(editor.state.isPromised).toBe(true)
  editor.undo()
  editor.failed('photo', editor.state.revision)
  expect(button()).not.toContain('disabled')
  run('accept', withHand)
  expect(shown.mock.calls.map(([{ message }]) => message)).toEqual(['The object was not accepted: it has no mask.'])
  vi.restoreAllMocks()
})

test('Ctrl+Z goes on with a polygon that was given up before it undoes what was done before that', () => {
  open({ a: 1 })
  editor.remove('a')
  const hand = { back: () => false, gesture: { name: 'idle' }, resume: vi.fn(() => true) }
  const withHand = { ...bench, hand } as unknown as Workbench
  run('undo', withHand)
  expect(editor.state.masks).toEqual([])
  hand.resume.mockReturnValue(false)
  run('undo', withHand)
  expect(editor.state.masks).toHaveLength(1)
})

test('Ctrl+S sends what waits and says when it is saved, and only then', async () => {
  const shown = vi.spyOn(notifications, 'show').mockImplementation(() => '')
  vi.spyOn(notifications, 'hide').mockImplementation(() => '')
  let settle = () => {}
  const outbox = {
    kick: vi.fn(),
    settled: () => new Promise<void>(resolve => { settle = resolve }),
    state: { name: 'saving' },
  }
  const press = { key: 's', ctrlKey: true, metaKey: false, shiftKey: false, altKey: false }
  expect(commandOf(press, keymapOf({}))).toBe('save')
  for (const name of ['waiting', 'saved']) {
    expect(run('save', { ...bench, outbox } as unknown as Workbench)).toBe(true)
    expect(shown).not.toHaveBeenCalled()
    outbox.state = { name }
    settle()
    await new Promise(resolve => setTimeout(resolve))
  }
  expect(outbox.kick).toHaveBeenCalledTimes(2)
  expect(shown.mock.calls.map(([{ message }]) => message)).toEqual(['Saved'])
})
