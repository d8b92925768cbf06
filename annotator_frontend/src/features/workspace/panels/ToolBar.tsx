import { ActionIcon, Text, Tooltip } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { t } from '@/shared/i18n'
import type { Closer } from '../closer'
import { chordsOf, type OwnKeys } from '../keymap'
import { COMMANDS, type Command, chordInWords } from '../keys'
import { TOOLS, type ToolboxStore, type ToolName } from '../tools/toolbox'
import classes from './panels.module.css'

/** On a grid of 20, drawn as lines. */
const ICONS: Record<
  ToolName | 'hover' | 'closer' | 'fill' | 'islands' | 'merge' | 'subtract' | 'split',
  string
> = {
  prompt: 'M10 2v4M10 14v4M2 10h4M14 10h4M10 10h.01',
  brush: 'M17 3l-8 8M9 11l-2-2 8-8M7 10c-3 0-3 3-3 4s-1 2-2 2c1 1 6 2 7-2 .3-1.400-.500-3-2-4z',
  eraser: 'M7 17l-4-4 9-9 5 5-8 8zM7 8l5 5M7 17h10',
  polygon: 'M4 6l8-3 5 7-5 7-8-3zM4 6v8',
  lasso:
    'M10 4c4.500 0 7 2 7 4.500S14.500 13 10 13c-1.500 0-3-.3-4.200-.8M6 12C4 11 3 10 3 8.500 3 6 5.500 4 10 4M6 12c-1.500 0-2 2-.500 2.500S8 17 5 17.500',
  select: 'M5 3l10 6-4.500 1.200L8.500 15z',
  hover: 'M2 10c2-4 5-6 8-6s6 2 8 6c-2 4-5 6-8 6s-6-2-8-6zM10 8a2 2 0 100 4 2 2 0 000-4z',
  closer: 'M9 3a6 6 0 100 12A6 6 0 009 3zM13.500 13.500L18 18M9 6.500v5M6.500 9h5',
  fill: 'M10 3a7 7 0 100 14 7 7 0 000-14zM7 10l2 2 4-4',
  islands: 'M9 6a4.500 4.500 0 100 9 4.500 4.500 0 000-9zM15 3l3 3M18 3l-3 3',
  merge: 'M8 4h8v8M8 4v4H4v8h8v-4h4',
  subtract: 'M4 8h8v8H4zM8 8V4h8v8h-4M7 12h2',
  split: 'M3 5h5v10H3zM12 5h5v10h-5zM10 3v14',
}

const ACTIONS = [
  ['fill holes', 'fill'],
  ['remove islands', 'islands'],
  ['merge', 'merge'],
  ['subtract', 'subtract'],
  ['split', 'split'],
] as const

interface ToolBarProps {
  toolbox: ToolboxStore
  own: OwnKeys
  closer: Closer
  run: (command: Command) => void
}

/** The tools, with their names and keys. */
export function ToolBar({ toolbox, own, closer, run }: ToolBarProps) {
  const isCloser = useSyncExternalStore(closer.subscribe, () => closer.getState().name !== 'whole')
  const { tool, diameter, isHoverOn } = useStore(toolbox)
  const button = (command: Command, icon: keyof typeof ICONS, isOn: boolean | null) => {
    const { label } = COMMANDS[command]
    const [chord] = chordsOf(command, own)
    return (
      <Tooltip
        key={command}
        label={chord ? `${t(label)} (${chordInWords(chord)})` : t(label)}
        position="right"
        openDelay={300}
      >
        <ActionIcon
          variant={isOn ? 'light' : 'subtle'}
          color={isOn ? undefined : 'gray'}
          size="lg"
          aria-label={t(label)}
          aria-pressed={isOn ?? undefined}
          onClick={() => run(command)}
        >
          <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
            <path
              d={ICONS[icon]}
              fill="none"
              stroke="currentColor"
              strokeWidth="1.6"
              strokeLinecap="round"
              strokeLinejoin="round"
            />
          </svg>
        </ActionIcon>
      </Tooltip>
    )
  }
  return (
    <div className={classes.tools} role="toolbar" aria-label={t('Tools')} aria-orientation="vertical">
      {TOOLS.map(name => button(`tool ${name}`, name, name === tool))}
      {(tool === 'brush' || tool === 'eraser') && (
        <Text size="xs" c="dimmed" ta="center" data-testid="brush-size">
          {diameter} px
        </Text>
      )}
      <span className={classes.rule} />
      {button('hover preview', 'hover', isHoverOn)}
      {button('look closer', 'closer', isCloser)}
      <span className={classes.rule} />
      {ACTIONS.map(([command, icon]) => button(command, icon, null))}
    </div>
  )
}
