import { t, text } from '@/shared/i18n'

/** What a key does in the workspace: its words on the sheet, and the chords it has unless somebody changed them. */
export interface CommandEntry {
  label: string
  group: 'Object' | 'Photo' | 'View' | 'Tools' | 'Keyboard hand'
  /** As `chordOf` writes them. */
  chords: readonly string[]
  /** Whether a key that is held does it again and again; all else is done once. */
  repeats?: boolean
}

/** All commands of the workspace. A line here, and a line where the workspace runs commands: that is all of a new one. */
export const COMMANDS = {
  accept: { label: 'Accept the object', group: 'Object', chords: ['Enter'] },
  escape: { label: 'Give the object up', group: 'Object', chords: ['Escape'] },
  undo: { label: 'Undo', group: 'Object', chords: ['Ctrl+Z'], repeats: true },
  redo: { label: 'Redo', group: 'Object', chords: ['Ctrl+Shift+Z', 'Ctrl+Y'], repeats: true },
  'next candidate': {
    label: 'The next of the masks of a first click',
    group: 'Object',
    chords: ['Tab'],
    repeats: true,
  },
  'previous candidate': { label: 'The one before', group: 'Object', chords: ['Shift+Tab'], repeats: true },
  'candidate 1': { label: 'The first mask', group: 'Object', chords: ['1'] },
  'candidate 2': { label: 'The second mask', group: 'Object', chords: ['2'] },
  'candidate 3': { label: 'The third mask', group: 'Object', chords: ['3'] },
  delete: { label: 'Remove what is selected', group: 'Object', chords: ['Delete', 'Backspace'] },
  'take back': { label: 'Take the last click back', group: 'Object', chords: ['Z'], repeats: true },
  'fill holes': { label: 'Fill holes: small ones first, then all', group: 'Object', chords: ['F'] },
  'remove islands': {
    label: 'Remove islands: small ones first, then all but one part',
    group: 'Object',
    chords: ['R'],
  },
  merge: { label: 'Merge the masks that are selected', group: 'Object', chords: ['M'] },
  split: { label: 'Split the mask that is selected into its parts', group: 'Object', chords: ['X'] },
  subtract: { label: 'Subtract the others from the mask selected first', group: 'Object', chords: ['S'] },
  'tool prompt': { label: 'Clicks and boxes for the model', group: 'Tools', chords: ['Q'] },
  'tool brush': { label: 'Brush', group: 'Tools', chords: ['B'] },
  'tool eraser': { label: 'Eraser', group: 'Tools', chords: ['E'] },
  'tool polygon': { label: 'Polygon', group: 'Tools', chords: ['P'] },
  'tool lasso': { label: 'Lasso', group: 'Tools', chords: ['L'] },
  'tool words': { label: 'Words for the model, where it can read', group: 'Tools', chords: ['/'] },
  'tool select': { label: 'Select masks', group: 'Tools', chords: ['V'] },
  'smaller brush': { label: 'A smaller brush', group: 'Tools', chords: ['['], repeats: true },
  'larger brush': { label: 'A larger brush', group: 'Tools', chords: [']'], repeats: true },
  'hover preview': { label: 'Show what a click would give, or not', group: 'Tools', chords: ['Shift+Q'] },
  'hand click': { label: 'Click: this belongs to the object', group: 'Keyboard hand', chords: ['D'] },
  'hand click away': {
    label: 'Click: this does not; where masks are selected, one more',
    group: 'Keyboard hand',
    chords: ['Shift+D'],
  },
  'hand press': {
    label: 'Press, and at another place let go: a box, or a stroke',
    group: 'Keyboard hand',
    chords: ['C'],
  },
  'hand press away': { label: 'The same, to cut', group: 'Keyboard hand', chords: ['Shift+C'] },
  'hand left': { label: 'Move left', group: 'Keyboard hand', chords: ['ArrowLeft'], repeats: true },
  'hand right': { label: 'Move right', group: 'Keyboard hand', chords: ['ArrowRight'], repeats: true },
  'hand up': { label: 'Move up', group: 'Keyboard hand', chords: ['ArrowUp'], repeats: true },
  'hand down': { label: 'Move down', group: 'Keyboard hand', chords: ['ArrowDown'], repeats: true },
  'hand far left': {
    label: 'Move far left',
    group: 'Keyboard hand',
    chords: ['Shift+ArrowLeft'],
    repeats: true,
  },
  'hand far right': {
    label: 'Move far right',
    group: 'Keyboard hand',
    chords: ['Shift+ArrowRight'],
    repeats: true,
  },
  'hand far up': { label: 'Move far up', group: 'Keyboard hand', chords: ['Shift+ArrowUp'], repeats: true },
  'hand far down': {
    label: 'Move far down',
    group: 'Keyboard hand',
    chords: ['Shift+ArrowDown'],
    repeats: true,
  },
  'next object': { label: 'Select the next mask', group: 'Keyboard hand', chords: ['N'], repeats: true },
  'previous object': {
    label: 'Select the mask before',
    group: 'Keyboard hand',
    chords: ['Shift+N'],
    repeats: true,
  },
  submit: { label: 'Submit the photo; the next one comes', group: 'Photo', chords: ['Ctrl+Enter'] },
  'submit complete': {
    label: 'Submit it, and say that nothing is left to label',
    group: 'Photo',
    chords: ['Ctrl+Shift+Enter'],
  },
  save: { label: 'Send what is not saved yet', group: 'Photo', chords: ['Ctrl+S'] },
  skip: { label: 'Skip the photo, with a reason', group: 'Photo', chords: ['Shift+Enter'] },
  guidelines: { label: 'What this dataset wants outlined', group: 'Photo', chords: ['G'] },
  'zoom in': { label: 'Zoom in', group: 'View', chords: ['PageUp'], repeats: true },
  'zoom out': { label: 'Zoom out', group: 'View', chords: ['PageDown'], repeats: true },
  'pan left': { label: 'Look further left', group: 'View', chords: ['Ctrl+ArrowLeft'], repeats: true },
  'pan right': { label: 'Look further right', group: 'View', chords: ['Ctrl+ArrowRight'], repeats: true },
  'pan up': { label: 'Look further up', group: 'View', chords: ['Ctrl+ArrowUp'], repeats: true },
  'pan down': { label: 'Look further down', group: 'View', chords: ['Ctrl+ArrowDown'], repeats: true },
  fit: { label: 'Fit the photo to the window', group: 'View', chords: ['0'] },
  'actual size': { label: 'A pixel of the photo on a pixel of the screen', group: 'View', chords: ['9'] },
  'look closer': {
    label: 'Let the model look closer at what is in the window; at the whole photo again',
    group: 'View',
    chords: ['O'],
  },
  isolate: { label: 'Show the mask alone; show all again', group: 'View', chords: ['I'] },
  'less fill': { label: 'Masks more transparent', group: 'View', chords: ['-'], repeats: true },
  'more fill': { label: 'Masks less transparent', group: 'View', chords: ['='], repeats: true },
  help: { label: 'This sheet', group: 'View', chords: ['?'] },
} as const satisfies Record<string, CommandEntry>

export type Command = keyof typeof COMMANDS

/** Whether a key that is held does it again and again. */
export function mayRepeat(command: Command): boolean {
  return (COMMANDS[command] as CommandEntry).repeats ?? false
}

/** Keys that work while they are held, and what hands do. They are not commands and cannot be changed. */
export const HANDS: readonly (readonly [string, string])[] = [
  [text('Click'), text('This belongs to the object')],
  [text('Right click, or Alt + click'), text('This does not')],
  [
    text('Drag'),
    text('A box around the object; a second one takes its place, since the model knows one box'),
  ],
  [text('Click on a prompt, or drag it'), text('Take it away, or move it')],
  [text('Ctrl + click'), text('Select a mask; clicks and strokes then correct it')],
  [text('Ctrl + Shift + click, or Shift + click in the list'), text('Select one more')],
  [text('Alt + wheel'), text('The next of the masks of a first click; the size of the brush')],
  [
    text('Alt, or the right button, with brush, polygon and lasso'),
    text('Cut instead of adding; with the eraser, add'),
  ],
  [text('Hold H'), text('Hide the masks')],
  [text('Wheel'), text('Zoom at the cursor')],
  [text('Hold Space and drag, or middle button'), text('Move the photo')],
  [text('Two fingers'), text('Move the photo, and zoom')],
]

export interface KeyLike {
  key: string
  /** Where it is on the keyboard, as browsers say it. */
  code?: string
  ctrlKey: boolean
  metaKey: boolean
  shiftKey: boolean
  altKey: boolean
}

/**
 * A key press in words: `Ctrl+Shift+Z`, `Tab`, `?`. Ctrl and Cmd are the same; a sign that needs Shift is only the sign, and so is one
 * that a Mac's keyboard may have with Option alone, as a German one has the brackets.
 */
export function chordOf({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyLike): string {
  const isLetter = /^\p{L}$/u.test(key)
  const isSign = key.length === 1 && !isLetter
  const isOfOption = altKey && isSign && key.trim() !== '' && /Mac/.test(navigator.userAgent)
  return [
    ctrlKey || metaKey ? 'Ctrl' : '',
    altKey && !isOfOption ? 'Alt' : '',
    shiftKey && !isSign ? 'Shift' : '',
    isLetter ? key.toUpperCase() : key,
  ]
    .filter(Boolean)
    .join('+')
}

/** Where letters stand in other scripts, and the usual chords have these signs. */
const SIGN_AT: Record<string, string> = { BracketLeft: '[', BracketRight: ']' }

/** A key of a keyboard with another script than the Latin one, as the Latin letter that is at its place. */
export function inLatin(pressed: KeyLike): KeyLike {
  const { key, code = '', ctrlKey, metaKey, shiftKey, altKey } = pressed
  // Some write two letters, as an Arabic one does at B.
  const isOther = /^\p{L}+$/u.test(key) && !/\p{Script=Latin}/u.test(key)
  const there = /^Key([A-Z])$/.exec(code)?.[1] ?? SIGN_AT[code]
  return isOther && there ? { key: there, code, ctrlKey, metaKey, shiftKey, altKey } : pressed
}

const SIGNS: Record<string, string> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  plus: '+',
}
const NAMES: Record<string, string> = {
  ' ': text('Space'),
  Ctrl: text('Ctrl'),
  Shift: text('Shift'),
  Enter: text('Enter'),
  Escape: text('Esc'),
  Delete: text('Delete'),
  Backspace: text('Backspace'),
  PageUp: text('Page up'),
  PageDown: text('Page down'),
}

/** As it stands on a button; undefined where there is none. */
export function keyOnButton(chords: readonly string[]): string | undefined {
  return chords[0] && chordInWords(chords[0])
}

/** A chord as it stands on the sheet. */
export function chordInWords(chord: string): string {
  // The plus sign itself is a key, too.
  return chord
    .replace(/\+\+$|^\+$/, match => match.replace(/\+$/, 'plus'))
    .split('+')
    .map(part => SIGNS[part] ?? (NAMES[part] ? t(NAMES[part]) : part))
    .join(' + ')
}
