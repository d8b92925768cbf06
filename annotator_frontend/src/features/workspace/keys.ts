/** What a key does in the workspace. */
export type Command =
  | 'accept'
  | 'submit'
  | 'escape'
  | 'undo'
  | 'redo'
  | 'next candidate'
  | 'previous candidate'
  | 'candidate 1'
  | 'candidate 2'
  | 'candidate 3'
  | 'delete'
  | 'fit'
  | 'help'

interface KeyLike {
  key: string
  ctrlKey: boolean
  metaKey: boolean
  shiftKey: boolean
  altKey: boolean
}

/** The command of a key press, or null. Ctrl and Cmd are the same. */
export function commandOf({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyLike): Command | null {
  const isControl = ctrlKey || metaKey
  if (altKey) return null
  if (isControl) {
    if (key === 'Enter') return 'submit'
    if (key.toLowerCase() === 'z') return shiftKey ? 'redo' : 'undo'
    if (key.toLowerCase() === 'y') return 'redo'
    return null
  }
  switch (key) {
    case 'Enter':
      return 'accept'
    case 'Escape':
      return 'escape'
    case 'Tab':
      return shiftKey ? 'previous candidate' : 'next candidate'
    case '1':
    case '2':
    case '3':
      return `candidate ${key}`
    case 'Delete':
    case 'Backspace':
      return 'delete'
    case '0':
      return 'fit'
    case '?':
      return 'help'
  }
  return null
}

/** The sheet of keys. */
export const SHEET: readonly (readonly [string, string])[] = [
  ['Click', 'This belongs to the object'],
  ['Right click, or Alt + click', 'This does not'],
  ['Drag', 'A box around the object'],
  ['Tab, or 1 2 3', 'Choose among the masks of a first click'],
  ['Enter', 'Accept the object'],
  ['Ctrl + Enter', 'Submit the photo; the next one comes'],
  ['Escape', 'Give the object up'],
  ['Ctrl + Z, Ctrl + Shift + Z', 'Undo, redo'],
  ['Delete', 'Remove the mask that is selected'],
  ['Hold H', 'Hide the masks'],
  ['Wheel', 'Zoom at the cursor'],
  ['Hold Space and drag, or middle button', 'Move the photo'],
  ['0', 'Fit the photo to the window'],
  ['?', 'This sheet'],
]
