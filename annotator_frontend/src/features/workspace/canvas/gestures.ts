import type { ImagePoint } from '@/shared/geometry/points'
import { type Extent, panned, type View, zoomed } from '../tools/panTool'

const ZOOM_PER_WHEEL_PX = 0.0015
/** A trackpad's pinch comes as a wheel with Ctrl; browsers make 100 px of each e-fold. */
const ZOOM_PER_PINCH_PX = 0.01
/** So much of one event counts as a pinch: a notch of a mouse's wheel is 100 px and more. */
const MOST_PINCH_PX = 20

/** What the browser says of a mouse, a pen or a finger. */
export interface Pointer {
  id: number
  /** As `pointerType`: mouse, pen or touch. */
  kind: string
  at_screen: ImagePoint
  /** Whether a button is down, or it touches. */
  isDown: boolean
}

type Pair = readonly [ImagePoint, ImagePoint]

/** Two fingers, before and after one of them moved. */
export interface Pinch {
  from: Pair
  to: Pair
}

/** Of a pointer that goes down: whether it is the hand now, and whether what another one began is given up. */
export interface Down {
  isPress: boolean
  isGivenUp: boolean
}

/**
 * Which pointer is the hand. The one that pressed is, until it is up: what others do meanwhile is none of its moves. Two fingers hold
 * the photo. No touch counts beside a pen: it is a palm.
 */
export class Pointers {
  private pressed: Pointer | null = null
  /** Fingers that count, by their ids: where they are. */
  private readonly fingers = new Map<number, ImagePoint>()
  /** Two fingers were down: none is the hand until all are up. */
  private isHolding = false

  down(pointer: Pointer): Down {
    const before = this.pressed
    const isBeside = before !== null && before.kind !== 'touch' && before.id !== pointer.id
    if (isBeside || (pointer.kind === 'touch' && this.fingers.size > 1)) {
      return { isPress: false, isGivenUp: false }
    }
    if (pointer.kind !== 'touch') {
      // The palm was there before the pen.
      this.fingers.clear()
      this.isHolding = false
    } else {
      this.fingers.set(pointer.id, pointer.at_screen)
      this.isHolding ||= this.fingers.size > 1
    }
    this.pressed = this.isHolding ? null : pointer
    return { isPress: !this.isHolding, isGivenUp: before?.kind === 'touch' }
  }

  /**
   * What a move is: one of the hand, pressed or not; of two fingers that hold the photo; the first since the hand let go where the page
   * did not hear of it; null: nothing.
   */
  move({ id, kind, at_screen, isDown }: Pointer): 'hand' | 'let go' | Pinch | null {
    if (!isDown && this.up(id)) return 'let go'
    const from = this.held()
    if (this.fingers.has(id)) this.fingers.set(id, at_screen)
    if (!this.isHand(id)) return null
    if (this.pressed || kind !== 'touch') return 'hand'
    const to = this.held()
    return from && to && this.fingers.has(id) ? { from, to } : null
  }

  /** It is up, or taken away. Returns whether it was the hand that pressed. */
  up(id: number): boolean {
    this.fingers.delete(id)
    if (!this.fingers.size) this.isHolding = false
    if (this.pressed?.id !== id) return false
    this.pressed = null
    return true
  }

  /** Whether it is the one that pressed; where none did, any may be. */
  isHand(id: number): boolean {
    return this.pressed === null || this.pressed.id === id
  }

  private held(): Pair | null {
    const [one, other] = this.fingers.values()
    return one && other ? [one, other] : null
  }
}

/** What two fingers hold of the photo goes where they go. */
export function pinched(view: View, { from, to }: Pinch, photo: Extent, pane: Extent): View {
  const [was, is] = [middleOf(from), middleOf(to)]
  const larger = zoomed(view, apart(to) / apart(from), was, photo, pane)
  return panned(larger, is.x - was.x, is.y - was.y)
}

/** How many times larger a turn of the wheel makes the photo, or a pinch of a trackpad. */
export function wheelZoom({ deltaY, ctrlKey }: Pick<WheelEvent, 'deltaY' | 'ctrlKey'>): number {
  if (!ctrlKey) return Math.exp(-deltaY * ZOOM_PER_WHEEL_PX)
  return Math.exp(-Math.min(Math.max(deltaY, -MOST_PINCH_PX), MOST_PINCH_PX) * ZOOM_PER_PINCH_PX)
}

function middleOf([one, other]: Pair): ImagePoint {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 }
}

/** How far two fingers are from each other, a pixel at least. */
function apart([one, other]: Pair): number {
  return Math.max(Math.hypot(one.x - other.x, one.y - other.y), 1)
}
