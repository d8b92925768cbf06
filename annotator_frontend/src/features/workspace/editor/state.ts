import type { Size } from '@/shared/geometry/points'
import { type Document, NO_OBJECT } from './document'
import type { Fault } from './fault'
import type { Step } from './steps'

/** All that the page shows of the editor. */
export interface EditorState extends Document {
  photo: string | null
  size: Size
  /** Counts what was asked of the decoder; an answer to an older revision is dropped. */
  revision: number
  isWaiting: boolean
  /** It is accepted as soon as its answer is there. */
  isPromised: boolean
  /** A stroke goes on: what it paints on is shown by whoever shows the stroke. */
  isPainting: boolean
  /** What the newest click did wrong, until something else is done. */
  fault: Fault | null
  past: readonly Step[]
  future: readonly Step[]
  /** What clicks and strokes correct, and what is subtracted from. Never a locked one. */
  selected: string | null
  /** Selected besides, to merge or to subtract. */
  alsoSelected: readonly string[]
}

/** How every photo begins. */
export const NEW_PHOTO = {
  ...NO_OBJECT,
  masks: [],
  isWaiting: false,
  isPromised: false,
  isPainting: false,
  fault: null,
  past: [],
  future: [],
  selected: null,
  alsoSelected: [],
}
