import { afterEach, expect, test, vi } from 'vitest'
import {
  chordsOf,
  commandOf,
  heldBy,
  keymapOf,
  lostChords,
  whyNot,
  withChord,
  withoutChord,
  withUsual,
} from '@/features/workspace/keymap'
import { COMMANDS, type Command, chordInWords, chordOf, mayRepeat } from '@/features/workspace/keys'

afterEach(() => void vi.unstubAllGlobals())

const press = (key: string, held: Partial<Record<'ctrlKey' | 'shiftKey' | 'altKey', boolean>> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
})

test('no chord is two commands at once, and none is one that cannot be a command', () => {
  const chords = Object.entries(COMMANDS).flatMap(([command, { chords }]) =>
    command === 'escape' ? [] : (chords as readonly string[]),
  )
  expect(chords.filter((chord, index) => chords.indexOf(chord) !== index)).toEqual([])
  expect(chords.filter(whyNot)).toEqual([])
})

test('a key that is held goes on moving, looking and stepping; what makes, changes or opens something is done once', () => {
  const held = (...commands: Command[]) => commands.map(mayRepeat)
  expect(held('hand left', 'pan up', 'zoom in', 'larger brush', 'less fill', 'undo', 'redo', 'next object')).not.toContain(false)
  expect(
    held('accept', 'escape', 'delete', 'fill holes', 'remove islands', 'hand click', 'hand press', 'look closer', 'isolate'),
  ).not.toContain(true)
  expect(held('hover preview', 'skip', 'submit', 'submit complete', 'merge', 'split', 'subtract')).not.toContain(true)
})

test('a chord that a person gives to a command is taken from the one that had it', () => {
  const own = withChord({}, 'undo', 'G')
  expect(commandOf(press('g'), keymapOf(own))).toBe('undo')
  expect(chordsOf('guidelines', own)).toEqual([])
  expect(chordsOf('undo', own)).toEqual(['Ctrl+Z', 'G'])
})

test('what is taken back to the usual is not kept at all', () => {
  const own = withoutChord(withChord({}, 'fit', 'F9'), 'fit', 'F9')
  expect(own).toEqual({})
  expect(withUsual(withChord({}, 'fit', 'F9'), 'fit')).toEqual({})
})

test('where a later version gives a chord of a person to something new, the person keeps it and is told', () => {
  const own = { redo: ['G'] } // chosen before there were guidelines
  expect(commandOf(press('g'), keymapOf(own))).toBe('redo')
  expect(lostChords('guidelines', own)).toEqual([['G', 'redo']])
  expect(lostChords('redo', own)).toEqual([])
})

test('Escape gives up whatever a person has set, and cannot be taken', () => {
  const own = { escape: ['Q'], fit: ['Escape'] }
  expect(chordsOf('escape', own)).toEqual(['Escape'])
  expect(whyNot('Escape')).toBe('held')
  expect(whyNot('Ctrl+W')).toBe('browser')
  expect(whyNot('Ctrl+G')).toBeNull()
})

test('keys of commands that this version does not know do no harm', () => {
  const own = { 'paint it black': ['G'] }
  expect(commandOf(press('g'), keymapOf(own))).toBe('guidelines')
  expect(withChord(own, 'fit', 'F9')).toEqual({ fit: ['0', 'F9'] })
})

test('chords read as they are on the keyboard', () => {
  expect(chordInWords('Ctrl+Shift+Z')).toBe('Ctrl + Shift + Z')
  expect(chordInWords('+')).toBe('+')
  expect(chordInWords('Ctrl++')).toBe('Ctrl + +')
})

test('a key that works while it is held is a chord like any other with Ctrl or Alt', () => {
  expect([heldBy(press('h')), heldBy(press('H', { shiftKey: true })), heldBy(press(' '))]).toEqual([
    'hide',
    'hide',
    'space',
  ])
  expect([heldBy({ ...press('h'), altKey: true }), heldBy(press(' ', { ctrlKey: true }))]).toEqual([null, null])
  expect([whyNot('Alt+H'), whyNot('Ctrl+ '), whyNot('H')]).toEqual([null, null, 'held'])
})

test('on a Mac a sign that a keyboard has only with Option is the sign; elsewhere, and with a letter, Alt stays a part of the chord', () => {
  const isAlt = { altKey: true }
  vi.stubGlobal('navigator', { userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)' })
  expect([commandOf(press('[', isAlt), keymapOf({})), commandOf(press(']', isAlt), keymapOf({}))]).toEqual([
    'smaller brush',
    'larger brush',
  ])
  expect([chordOf(press('œ', isAlt)), chordOf(press(' ', isAlt)), chordOf(press('Enter', isAlt))]).toEqual([
    'Alt+Œ',
    'Alt+ ',
    'Alt+Enter',
  ])
  vi.stubGlobal('navigator', { userAgent: 'Mozilla/5.0 (X11; Linux x86_64)' })
  expect(chordOf(press('[', isAlt))).toBe('Alt+[')
})

test.each([
  ['Cyrillic', 'я', 'KeyZ', 'н', 'KeyY', 'р'],
  ['Greek', 'ζ', 'KeyZ', 'υ', 'KeyY', 'η'],
  ['Arabic', 'ئ', 'KeyZ', 'غ', 'KeyY', 'ا'],
  ['Hebrew', 'ז', 'KeyZ', 'ט', 'KeyY', 'י'],
])('on a %s keyboard letters are the keys at their places', (_, undo, undoCode, redo, redoCode, hide) => {
  const keymap = keymapOf({})
  const at = (key: string, code: string, held = {}) => ({ ...press(key, held), code })
  const ctrlKey = true
  expect(commandOf(at(undo, undoCode, { ctrlKey }), keymap)).toBe('undo')
  expect(commandOf(at(undo, undoCode), keymap)).toBe('take back')
  expect(commandOf(at(undo.toUpperCase(), undoCode, { ctrlKey, shiftKey: true }), keymap)).toBe('redo')
  expect(commandOf(at(redo, redoCode, { ctrlKey }), keymap)).toBe('redo')
  expect(heldBy(at(hide, 'KeyH'))).toBe('hide')
})

test('a key that writes two letters at once is one, too', () => {
  expect(commandOf({ ...press('لا'), code: 'KeyB' }, keymapOf({}))).toBe('tool brush')
})

test('where brackets are letters their places are the brush’s size', () => {
  const keymap = keymapOf({})
  const sizes = [{ ...press('х'), code: 'BracketLeft' }, { ...press('ъ'), code: 'BracketRight' }]
  expect(sizes.map(key => commandOf(key, keymap))).toEqual(['smaller brush', 'larger brush'])
})

test('a letter that somebody has given to a command on their own keyboard stays that command’s', () => {
  const pressed = { ...press('я'), code: 'KeyZ' }
  expect(commandOf(pressed, keymapOf({ fit: ['Я'] }))).toBe('fit')
})

test('Latin keyboards keep their letters wherever these are', () => {
  expect(commandOf({ ...press('z', { ctrlKey: true }), code: 'KeyY' }, keymapOf({}))).toBe('undo') // German
  expect(commandOf({ ...press('q'), code: 'KeyA' }, keymapOf({}))).toBe('tool prompt') // French
  expect(commandOf({ ...press('ö'), code: 'Semicolon' }, keymapOf({}))).toBeNull()
})
