import type { ImagePoint } from '@/shared/geometry/points'

/** A prompt under the hand. */
export interface PromptHandle {
  index: number
  /** Of a box: which of its corners; null: an edge, or a point. */
  corner: 0 | 1 | 2 | 3 | null
}

/** What a hand does, in the photo's pixels. `isDrag` counts screen pixels, so a hand feels the same at every zoom. */
export interface PointerEventAt {
  at: ImagePoint
  means: 'foreground' | 'background'
  isDrag: boolean
  /** How far from a thing still is on it, in the photo's pixels; so many more the smaller the photo is shown. */
  reach?: number
  /** Whether the hand selects one more. */
  isMore?: boolean
  on?: PromptHandle | null
}

/** `confirm` is Enter in the middle of a gesture, `back` takes the last piece of it away. */
export type HandEventName = 'pointerDown' | 'pointerMove' | 'pointerUp' | 'confirm' | 'back'

export interface Done<Result> {
  done: Result
}

/** One exit of a gesture: what it made. The other is Escape, which leaves no trace. */
export function done<Result>(result: Result): Done<Result> {
  return { done: result }
}

type Reaction<State, Result> = (own: never, event: PointerEventAt) => State | Done<Result>

/** A table: each state lists the events it cares about and returns the next state. */
export type Tool<State extends { name: string }, Result> = {
  [Name in State['name']]: {
    [Event in HandEventName]?: (
      own: Extract<State, { name: Name }>,
      event: PointerEventAt,
    ) => State | Done<Result>
  }
} & { idle: object }

/** A tool at work. Escape is handled here, for every tool. */
export class ToolMachine<State extends { name: string }, Result> {
  state: State

  constructor(
    private readonly tool: Tool<State, Result>,
    private readonly onDone: (result: Result) => void,
  ) {
    this.state = { name: 'idle' } as State
  }

  /** Whether the state cares about it. */
  send(name: HandEventName, event: PointerEventAt): boolean {
    const reactions = this.tool[this.state.name as State['name']] as Partial<
      Record<HandEventName, Reaction<State, Result>>
    >
    const next = reactions[name]?.(this.state as never, event)
    if (next === undefined) return false
    if ('done' in next) {
      this.state = { name: 'idle' } as State
      this.onDone(next.done)
    } else {
      this.state = next
    }
    return true
  }

  /** Whether there was a gesture to give up. */
  escape(): boolean {
    const wasBusy = this.state.name !== 'idle'
    this.state = { name: 'idle' } as State
    return wasBusy
  }
}
