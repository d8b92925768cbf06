import { t } from '@/shared/i18n'
import { FILL_STEP, inSight } from './editor/look'
import { inOrder } from './editor/order'
import type { Command } from './keys'
import { notify, OPERATIONS, type Operation, tell } from './operations'
import { submit } from './submit'
import type { ToolName } from './tools/toolbox'
import type { Workbench } from './workbench'

/** Returns whether there was anything to do: else the browser has the key. */
type Act = (bench: Workbench) => boolean

/** What each command does. The compiler asks for a line for each that `keys.ts` has. */
const ACTS: Record<Command, Act> = {
  accept: ({ hand, editor }) => {
    if (hand.confirm() || editor.accept()) return true
    if (editor.isBusy) notify(t('The object was not accepted: it has no mask.'))
    return editor.isBusy
  },
  escape: ({ stage, editor }) => {
    if (stage.current?.escape() || editor.clear()) return true
    if (!editor.selection().length) return false
    editor.select(null)
    return true
  },
  // In the middle of a gesture the gesture is what is taken back.
  undo: always(bench => {
    const { hand, editor } = bench
    const isDone = hand.back() || giveGestureUp(bench) || hand.resume() || editor.undo()
    if (!isDone) notify(t('There is nothing to undo here.'))
  }),
  'take back': bench =>
    bench.hand.back() || giveGestureUp(bench) || (bench.editor.isBusy && bench.editor.undo()),
  redo: always(({ editor }) => editor.redo()),
  'next candidate': cycle(1),
  'previous candidate': cycle(-1),
  'candidate 1': choose(0),
  'candidate 2': choose(1),
  'candidate 3': choose(2),
  delete: ({ hand, editor }) => hand.back() || editor.removeSelected(),
  'fill holes': operate('fill holes'),
  'remove islands': operate('remove islands'),
  merge: operate('merge'),
  split: operate('split'),
  subtract: operate('subtract'),
  'next object': selectNext(1),
  'previous object': selectNext(-1),

  'tool prompt': take('prompt'),
  'tool brush': take('brush'),
  'tool eraser': take('eraser'),
  'tool polygon': take('polygon'),
  'tool lasso': take('lasso'),
  'tool select': take('select'),
  'tool words': ({ words }) => {
    words.current?.focus()
    return words.current !== null
  },
  'smaller brush': always(({ hand }) => hand.resize(-1)),
  'larger brush': always(({ hand }) => hand.resize(1)),
  'hover preview': always(({ hand, toolbox }) => {
    hand.hover.leave()
    toolbox.setState(({ isHoverOn }) => ({ isHoverOn: !isHoverOn }))
  }),

  'hand click': always(({ stage }) => stage.current?.keyboard.click(false)),
  'hand click away': always(({ stage }) => stage.current?.keyboard.click(true)),
  'hand press': always(({ stage }) => stage.current?.keyboard.press(false)),
  'hand press away': always(({ stage }) => stage.current?.keyboard.press(true)),
  'hand left': move(-1, 0),
  'hand right': move(1, 0),
  'hand up': move(0, -1),
  'hand down': move(0, 1),
  'hand far left': moveFar(-1, 0),
  'hand far right': moveFar(1, 0),
  'hand far up': moveFar(0, -1),
  'hand far down': moveFar(0, 1),

  submit: always(bench => submit(bench, { complete: false })),
  'submit complete': always(bench => submit(bench, { complete: true })),
  save: always(({ outbox }) => {
    outbox.kick()
    // Where it is not, the status line says so.
    void outbox.settled().then(() => outbox.state.name === 'saved' && notify(t('Saved')))
  }),
  skip: open('skip'),
  guidelines: open('guidelines'),
  help: open('keys'),

  fit: always(({ stage }) => stage.current?.fit()),
  'actual size': always(({ stage }) => stage.current?.actual()),
  'zoom in': always(({ stage }) => stage.current?.keyboard.zoom(1)),
  'zoom out': always(({ stage }) => stage.current?.keyboard.zoom(-1)),
  'pan left': pan(-1, 0),
  'pan right': pan(1, 0),
  'pan up': pan(0, -1),
  'pan down': pan(0, 1),
  'look closer': always(lookCloser),
  isolate: ({ editor, look }) => {
    const { selected } = editor.state
    const { isolated, hovered } = look.store.getState()
    // The others are out of sight: they are not to be removed or merged with it.
    if (isolated === null && editor.selection().length > 1) editor.select(selected)
    return look.isolate(selected ?? hovered)
  },
  'less fill': fill(-FILL_STEP),
  'more fill': fill(FILL_STEP),
}

/** What can be done with a photo that another window writes to. */
const WHILE_WATCHING: ReadonlySet<Command> = new Set([
  'fit',
  'actual size',
  'isolate',
  'save',
  'less fill',
  'more fill',
  'help',
  'guidelines',
  'zoom in',
  'zoom out',
  'pan left',
  'pan right',
  'pan up',
  'pan down',
])

/** Run a command, of a key or a button. Returns whether there was anything to do. */
export function run(command: Command, bench: Workbench): boolean {
  bench.touch()
  if (bench.isWatching && !WHILE_WATCHING.has(command)) return false
  return ACTS[command](bench)
}

function always(act: (bench: Workbench) => unknown): Act {
  return bench => {
    act(bench)
    return true
  }
}

function giveGestureUp({ hand, stage }: Workbench): boolean {
  return hand.gesture.name !== 'idle' && (stage.current?.escape() ?? false)
}

function cycle(by: 1 | -1): Act {
  return ({ editor }) => editor.cycle(by)
}

function choose(index: number): Act {
  return always(({ editor }) => editor.choose(index))
}

function operate(operation: Operation): Act {
  return always(({ editor }) => tell(operation, OPERATIONS[operation](editor)))
}

function selectNext(by: 1 | -1): Act {
  return ({ editor, look }) => {
    const { masks, selected } = editor.state
    // As the list shows them, without those that nobody may touch, or that are out of sight.
    const seen = look.store.getState()
    const isInSight = new Set(inSight(masks, seen))
    const listed = inOrder(masks, seen.order).filter(({ mask }) => !mask.locked && isInSight.has(mask))
    if (!listed.length) return false
    const index = listed.findIndex(({ mask }) => mask.id === selected)
    const next = index < 0 ? (by > 0 ? 0 : listed.length - 1) : (index + by + listed.length) % listed.length
    editor.select(listed[next]!.mask.id)
    return true
  }
}

function take(tool: ToolName): Act {
  return always(({ hand }) => hand.take(tool))
}

function move(right: number, down: number): Act {
  return always(({ stage }) => stage.current?.keyboard.move(right, down, false))
}

function moveFar(right: number, down: number): Act {
  return always(({ stage }) => stage.current?.keyboard.move(right, down, true))
}

function pan(right: number, down: number): Act {
  return always(({ stage }) => stage.current?.keyboard.pan(right, down))
}

function fill(by: number): Act {
  return always(({ look }) => look.setFill(look.store.getState().fill + by))
}

function open(dialog: 'keys' | 'guidelines' | 'skip'): Act {
  return always(bench => bench.dialog.set(dialog))
}

/** Let the model look at what is in the window; where it does already, at the whole photo again. */
function lookCloser({
  closer,
  assignment,
  shelf,
  stage,
  decoder,
  surroundings: { onError },
}: Workbench): void {
  if (closer.leave() || !assignment || !stage.current || !shelf.get(assignment.image.id).isReady) return
  if (decoder.step.get().where === 'server') {
    onError(t('The server answers the clicks here, and it looks at the whole photo only.'))
    return
  }
  closer.look(assignment, stage.current.region()).then(
    isPart => !isPart && notify(t('That is the whole photo: zoom in on what is too small for the model.')),
    (error: unknown) => onError(error instanceof Error ? error.message : String(error)),
  )
}
