import { createElement } from 'react'
import { expect, test } from 'vitest'
import { createStore } from 'zustand/vanilla'
import type { Closer } from '@/features/workspace/closer'
import { run } from '@/features/workspace/commands'
import type { Candidate } from '@/features/workspace/decoder/protocol'
import { ActiveClock } from '@/features/workspace/editor/activeClock'
import { Editor } from '@/features/workspace/editor/editor'
import { commandOf, keymapOf } from '@/features/workspace/keymap'
import { CloserNotice } from '@/features/workspace/panels/CloserNotice'
import { FaultNotice } from '@/features/workspace/panels/FaultNotice'
import { Preparation } from '@/features/workspace/panels/Preparation'
import { SlowSign } from '@/features/workspace/panels/SlowSign'
import { Watching } from '@/features/workspace/panels/Watching'
import type { Workbench } from '@/features/workspace/workbench'
import { mask } from '../shared/plain'
import { rendered } from '../shared/rendered'

const newEditor = () =>
  new Editor({ ask: () => {}, put: () => {}, remove: () => {}, notAccepted: () => {}, newId: () => 'new', secondsSpent: () => 1 })

const ready = {
  picture: {} as ImageBitmap,
  isReady: true,
  expectedSeconds: null,
  pictureProblem: null,
  modelProblem: null,
  isModelOut: false,
}
const closer = { subscribe: () => () => {}, getState: () => ({ name: 'whole' }) } as unknown as Closer
const editor = newEditor()

test.each([
  ['a click that went wrong', createElement(FaultNotice, { editor, own: {}, onTakeBack: () => {} })],
  ['a photo that comes', createElement(Preparation, { photo: ready, onTryAgain: () => {} })],
  ['an object that takes long', createElement(SlowSign, { editor, clock: new ActiveClock() })],
  ['a closer look', createElement(CloserNotice, { closer, onLeave: () => {} })],
  ['another window', createElement(Watching, { onTakeOver: null })],
])('the live region that tells of %s is there, empty, before it has anything to tell', (_, element) => {
  expect(rendered(element)).toMatch(/<div role="status"><\/div>$/)
})

test('a click that wrecks the mask is said, with the key that takes it back, and that key brings the mask back', () => {
  const candidate = (...rows: string[]): Candidate => ({
    index: 0,
    predictedIou: 0.9,
    stability: 0.9,
    logits: new Float32Array(1),
    mask: mask(...rows),
    region: null,
  })
  const own = newEditor()
  own.open('photo', [], { height: 2, width: 8 })
  const click = (x: number) => own.addPrompt({ kind: 'point', at: { x, y: 0.5 }, label: 1 })
  click(1.5)
  own.answered('photo', own.state.revision, [candidate('########', '########')])
  click(2.5)
  own.answered('photo', own.state.revision, [candidate('.##.....', '.##.....')])
  const html = () =>
    rendered(
      createElement(FaultNotice, {
        editor: { store: createStore(() => own.state) } as unknown as Editor,
        own: {},
        onTakeBack: () => {},
      }),
    )
  expect(html()).toContain('This click wrecked the mask: 25% of it is as it was.')
  expect(html()).toMatch(/Take it back.*<kbd[^>]*>Z<\/kbd>/s)

  const command = commandOf({ key: 'z', ctrlKey: false, metaKey: false, shiftKey: false, altKey: false }, keymapOf({}))
  const hand = { back: () => false, gesture: { name: 'idle' } }
  expect(run(command!, { editor: own, hand, touch: () => {}, isWatching: false } as unknown as Workbench)).toBe(true)
  expect(own.state).toMatchObject({ fault: null, prompts: [{ at: { x: 1.5 } }], candidates: [{ mask: { box: [0, 0, 8, 2] } }] })
  expect(html()).not.toContain('Take it back')
})
