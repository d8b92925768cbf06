import { expect } from 'vitest'
import { type PromptHandle, type Tool, ToolMachine } from '@/features/workspace/tools/machine'

/** Moves a hand over a tool: a test of what a person does, without a page. Photo pixels are screen pixels. */
export function drive<State extends { name: string }, Result>(
  tool: Tool<State, Result>,
  options: { on?: (at: { x: number; y: number }) => PromptHandle | null } = {},
) {
  const results: Result[] = []
  const machine = new ToolMachine(tool, result => results.push(result))
  let pressed = { x: 0, y: 0 }
  let isDrag = false
  const hand = {
    prompts: results,
    down(x: number, y: number, means: 'foreground' | 'background' = 'foreground') {
      pressed = { x, y }
      isDrag = false
      machine.send('pointerDown', { at: { x, y }, means, isDrag, reach: 8, on: options.on?.({ x, y }) })
      return hand
    },
    move(x: number, y: number) {
      isDrag ||= Math.hypot(x - pressed.x, y - pressed.y) > 4
      machine.send('pointerMove', { at: { x, y }, means: 'foreground', isDrag })
      return hand
    },
    up(x: number, y: number) {
      machine.send('pointerUp', { at: { x, y }, means: 'foreground', isDrag })
      return hand
    },
    confirm() {
      machine.send('confirm', { at: pressed, means: 'foreground', isDrag })
      return hand
    },
    back() {
      machine.send('back', { at: pressed, means: 'foreground', isDrag })
      return hand
    },
    escape() {
      machine.escape()
      return hand
    },
    expectState(name: State['name']) {
      expect(machine.state.name).toBe(name)
      return hand
    },
  }
  return hand
}
