import type { Toolbox } from './tools/toolbox'

const NAME = 'maskloop.tools'

/** Brush size and hover preview as they were last in this browser; the tool itself begins with the model's. */
export function recalledTools(): Partial<Toolbox> {
  try {
    const { diameter, isHoverOn } = JSON.parse(localStorage.getItem(NAME) ?? '{}') as Partial<Toolbox>
    return {
      ...(typeof diameter === 'number' && Number.isInteger(diameter) && diameter > 0 && { diameter }),
      ...(typeof isHoverOn === 'boolean' && { isHoverOn }),
    }
  } catch {
    return {} // forbidden, or not ours
  }
}

export function rememberTools({ diameter, isHoverOn }: Toolbox): void {
  try {
    localStorage.setItem(NAME, JSON.stringify({ diameter, isHoverOn }))
  } catch {
    // A full or forbidden memory: as they come next time.
  }
}
