import type { ImagePoint } from '@/shared/geometry/points'

/** What a hand does, in the photo's pixels. `isDrag` counts screen pixels, so a hand feels the same at every zoom. */
export interface PointerEventAt {
  at: ImagePoint
  means: 'foreground' | 'background'
  isDrag: boolean
}

export type PointerEventName = 'pointerDown' | 'pointerMove' | 'pointerUp'

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
    [Event in PointerEventName]?: (
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

  send(name: PointerEventName, event: PointerEventAt): void {
    const reactions = this.tool[this.state.name as State['name']] as Partial<
      Record<PointerEventName, Reaction<State, Result>>
    >
    const next = reactions[name]?.(this.state as never, event)
    if (next === undefined) return
    if ('done' in next) {
      this.state = { name: 'idle' } as State
      this.onDone(next.done)
    } else {
      this.state = next
    }
  }

  /** Whether there was a gesture to give up. */
  escape(): boolean {
    const wasBusy = this.state.name !== 'idle'
    this.state = { name: 'idle' } as State
    return wasBusy
  }
}
