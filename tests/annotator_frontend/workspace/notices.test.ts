import { createElement } from 'react'
import { expect, test } from 'vitest'
import type { Closer } from '@/features/workspace/closer'
import { ActiveClock } from '@/features/workspace/editor/activeClock'
import { Editor } from '@/features/workspace/editor/editor'
import { CloserNotice } from '@/features/workspace/panels/CloserNotice'
import { FaultNotice } from '@/features/workspace/panels/FaultNotice'
import { Preparation } from '@/features/workspace/panels/Preparation'
import { SlowSign } from '@/features/workspace/panels/SlowSign'
import { Watching } from '@/features/workspace/panels/Watching'
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
