import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Box, Size } from '@/shared/geometry/points'
import type { RowRuns } from '@/shared/geometry/rowRuns'
import type { View } from '../../tools/panTool'
import type { MaskStyle } from './plate'

/** What is drawn of a mask, lowest first. */
export interface Shown {
  id: string
  style: MaskStyle
  /** It changes with every click, and lies over all that do not. */
  isInWork?: boolean
}

/** The same with its pixels, which go to the painter as runs, and only where they are new. */
export interface ShownMask extends Shown {
  mask: Bitmask
}

/** What the window shows. */
export interface Scene {
  photo: string | null
  view: View
  /** CSS pixels. */
  pane: { width: number; height: number }
  /** Screen pixels per CSS pixel. */
  ratio: number
  isHidden: boolean
  /** The part of the photo that the model looks at: the rest is dimmed. */
  region: Box | null
}

export type ToPainter =
  | { kind: 'attach'; photo: OffscreenCanvas | HTMLCanvasElement; masks: OffscreenCanvas | HTMLCanvasElement }
  | { kind: 'detach' }
  | { kind: 'load'; photo: string; blob: Blob; size: Size }
  | { kind: 'forget'; photo: string }
  | { kind: 'scene'; scene: Scene }
  | { kind: 'shape'; id: string; runs: RowRuns }
  | { kind: 'show'; masks: readonly Shown[]; serial: number }
  | { kind: 'thumbnail'; photo: string; id: string; side: number; colour: readonly [number, number, number] }

export type FromPainter =
  /** `small` is the whole photo, at most `SMALL_SIDE_PX` wide and high. */
  | { kind: 'loaded'; photo: string; small: ImageBitmap }
  | { kind: 'not loaded'; photo: string; message: string }
  /** What `show` of this serial asked for can be seen. */
  | { kind: 'drawn'; serial: number }
  | { kind: 'thumbnail'; id: string; picture: Blob | null }

export const SMALL_SIDE_PX = 512
