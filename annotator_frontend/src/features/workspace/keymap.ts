import { COMMANDS, type Command, type CommandEntry, chordOf, inLatin, type KeyLike } from './keys'

/** A person's own chords, of those commands only that differ from the usual. */
export type OwnKeys = Readonly<Record<string, string[]>>

const ENTRIES = Object.entries(COMMANDS) as [Command, CommandEntry][]

/** These work while they are held, or give things up whatever happens: no command can have them. */
const HELD = new Set(['H', 'Shift+H', 'Alt', ' '])
/** Never reach a page, or close it. */
const OF_THE_BROWSER = new Set([
  'Ctrl+W',
  'Ctrl+T',
  'Ctrl+N',
  'Ctrl+Shift+W',
  'Ctrl+Shift+N',
  'Ctrl+Shift+T',
  'F11',
])

/** What a key does for as long as it is held; with Ctrl or Alt it is a chord like any other. */
export function heldBy(pressed: KeyLike): 'space' | 'hide' | null {
  const { key, ctrlKey, metaKey, altKey } = inLatin(pressed)
  if (ctrlKey || metaKey || altKey) return null
  if (key === ' ') return 'space'
  return key.toLowerCase() === 'h' ? 'hide' : null
}

/** Giving up has to work for who has lost the way. */
export function isFixed(command: Command): boolean {
  return command === 'escape'
}

/** Why no command can have this chord; null: one can. */
export function whyNot(chord: string): 'held' | 'browser' | null {
  if (HELD.has(chord) || chord === 'Escape') return 'held'
  return OF_THE_BROWSER.has(chord) ? 'browser' : null
}

export function chordsOf(command: Command, own: OwnKeys): readonly string[] {
  return (isFixed(command) ? undefined : own[command]) ?? COMMANDS[command].chords
}

/** Commands by chord. Where two have the same, a person's own choice goes before the usual. */
export function keymapOf(own: OwnKeys): ReadonlyMap<string, Command> {
  const map = new Map<string, Command>()
  const [changed, usual] = [
    ENTRIES.filter(([command]) => own[command]),
    ENTRIES.filter(([command]) => !own[command]),
  ]
  for (const [command] of [...changed, ...usual]) {
    for (const chord of chordsOf(command, own)) if (!map.has(chord)) map.set(chord, command)
  }
  return map
}

/** The command of a key press, or null. */
export function commandOf(key: KeyLike, keymap: ReadonlyMap<string, Command>): Command | null {
  // What a person has set as it is on their keyboard goes first.
  return keymap.get(chordOf(key)) ?? keymap.get(chordOf(inLatin(key))) ?? null
}

/** Chords of a command that another one has: they do not work for it. */
export function lostChords(command: Command, own: OwnKeys): readonly (readonly [string, Command])[] {
  const keymap = keymapOf(own)
  return chordsOf(command, own).flatMap(chord => {
    const holder = keymap.get(chord)!
    return holder === command ? [] : [[chord, holder] as const]
  })
}

/** With a chord more. Whoever had it loses it. */
export function withChord(own: OwnKeys, command: Command, chord: string): OwnKeys {
  const changed: Record<string, string[]> = { ...own }
  for (const [other] of ENTRIES) {
    const chords = chordsOf(other, own)
    if (other !== command && chords.includes(chord)) changed[other] = chords.filter(one => one !== chord)
  }
  changed[command] = [...chordsOf(command, own).filter(one => one !== chord), chord]
  return tidied(changed)
}

export function withoutChord(own: OwnKeys, command: Command, chord: string): OwnKeys {
  return tidied({ ...own, [command]: chordsOf(command, own).filter(one => one !== chord) })
}

/** As usual again. */
export function withUsual(own: OwnKeys, command: Command): OwnKeys {
  const { [command]: _, ...others } = own
  return others
}

/** What is as usual, and what this version of the page does not know, is not kept. */
function tidied(own: OwnKeys): OwnKeys {
  return Object.fromEntries(
    Object.entries(own).filter(([command, chords]) => {
      const usual = (COMMANDS as Record<string, CommandEntry>)[command]?.chords
      return usual && usual.join(' ') !== chords.join(' ')
    }),
  )
}
