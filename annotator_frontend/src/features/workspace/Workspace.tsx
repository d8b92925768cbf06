import { Alert, Button, Group, Loader, Text } from '@mantine/core'
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { useSignal } from '@/shared/api/signal'
import { usePreferences } from '@/shared/api/usePreferences'
import { t } from '@/shared/i18n'
import { PainterClient } from './canvas/painter/client'
import { Stage, type StageHandle } from './canvas/Stage'
import { useColours } from './canvas/useColours'
import { Closer } from './closer'
import { DecoderClient, type Step } from './decoder/client'
import { Editor } from './editor/editor'
import { FILL_STEP, Look } from './editor/look'
import { JOBS } from './jobs'
import type { Command } from './keys'
import { notify, OPERATIONS, tell } from './operations'
import { CloserNotice } from './panels/CloserNotice'
import { FaultNotice } from './panels/FaultNotice'
import { Guidelines } from './panels/Guidelines'
import { KeySheet } from './panels/KeySheet'
import { SidePanel } from './panels/SidePanel'
import { SkipMenu } from './panels/SkipMenu'
import { SlowSign } from './panels/SlowSign'
import { StatusLine } from './panels/StatusLine'
import { TextPrompt } from './panels/TextPrompt'
import { ToolBar } from './panels/ToolBar'
import { TopBar } from './panels/TopBar'
import { type Assignment, PhotoShelf } from './photoShelf'
import type { DraftKeeper } from './saving/drafts'
import { bodyOf, masksOf } from './saving/maskBody'
import type { Outbox } from './saving/outbox'
import { useDrafts } from './saving/useDrafts'
import { recalledTools, rememberTools } from './toolMemory'
import { Hand } from './tools/hand'
import { HoverPreview } from './tools/hoverPreview'
import { newToolbox, type ToolName } from './tools/toolbox'
import { useAnnouncements } from './useAnnouncements'
import { usePreferredLook } from './usePreferredLook'
import { useWorkClock } from './useWorkClock'
import { useWorkspaceKeys } from './useWorkspaceKeys'
import classes from './workspace.module.css'

/** Nobody has looked at a photo before it has been there for this long. */
const LOOK_MS = 400

const NO_KEYS = {}

/** What can be done with a photo that another window writes to. */
const WHILE_WATCHING: readonly Command[] = [
  'fit',
  'actual size',
  'isolate',
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
]

const DIRECTIONS: Record<string, readonly [right: number, down: number]> = {
  left: [-1, 0],
  right: [1, 0],
  up: [0, -1],
  down: [0, 1],
}

export interface WorkspaceProps {
  /** Whose id the masks have that are this person's own. */
  user: string
  title: string
  /** Markdown: what the dataset wants outlined. */
  guidelines: string
  current: Assignment | null
  /** Those that come next, in order. */
  ahead: readonly Assignment[]
  outbox: Outbox
  drafts: DraftKeeper
  /** Where another window of the person's writes to the photo: this one only looks, until it takes the photo over. */
  onTakeOver: (() => void) | null
  /** What to show where there is no photo. */
  empty: React.ReactNode
  onBack: () => void
  onSubmit: (assignment: Assignment) => void
  onSkip: (assignment: Assignment, reason: string) => void
  onError: (message: string) => void
}

/** Where masks are made: one photo fills the window, and the next one is there already. */
export function Workspace({
  user,
  title,
  guidelines,
  current,
  ahead,
  outbox,
  drafts,
  onTakeOver,
  empty,
  onBack,
  onSubmit,
  onSkip,
  onError,
}: WorkspaceProps) {
  const [decoder] = useState(() => new DecoderClient())
  const [painter] = useState(() => new PainterClient())
  const [shelf] = useState(() => new PhotoShelf(decoder, painter))
  const [closer] = useState(() => new Closer(decoder))
  const [look] = useState(() => new Look(() => localStorage))
  const [lastMilliseconds, setLastMilliseconds] = useState<number | null>(null)
  const [open, setOpen] = useState<'keys' | 'guidelines' | 'skip' | null>(null)
  const close = useCallback(() => setOpen(null), [])
  const clock = useWorkClock(open !== null)
  const [preferences, changePreferences] = usePreferences()
  const ownKeys = preferences.keys ?? NO_KEYS
  const assignment = useRef(current)
  assignment.current = current

  const editor = useMemo(() => {
    const own: Editor = new Editor({
      ask: (photo, revision, prompts, fedBack) => {
        decoder.know(own.state.candidates) // they may be a draft's
        decoder.prompt(photo, revision, prompts, fedBack)
      },
      put: mask => {
        const { id, image } = assignment.current!
        outbox.add({ kind: 'put', id: mask.id, image: image.id, assignment: id, body: bodyOf(mask, id) })
      },
      remove: id => {
        const { id: own, image } = assignment.current!
        outbox.add({ kind: 'remove', id, image: image.id, assignment: own })
      },
      notAccepted: () => notify(t('The object was not accepted: it has no mask.')),
      newId: () => crypto.randomUUID(),
      secondsSpent: () => clock.take(performance.now()),
    })
    return own
  }, [decoder, outbox, clock])

  const [toolbox] = useState(() => newToolbox(recalledTools()))
  useEffect(() => toolbox.subscribe(rememberTools), [toolbox])
  usePreferredLook(look, toolbox, preferences, changePreferences)
  const hand = useMemo(() => {
    const hover = new HoverPreview((id, prompt) => {
      if (editor.state.photo !== null) decoder.preview(editor.state.photo, id, prompt)
    })
    const made = new Hand(editor, toolbox, hover)
    hover.onChange = () => made.changed()
    return made
  }, [editor, toolbox, decoder])

  useEffect(() => {
    decoder.listen({
      onAnswer: (photo, revision, candidates, milliseconds) => {
        setLastMilliseconds(milliseconds)
        editor.answered(photo, revision, candidates)
      },
      onPreview: (id, found, edges) => hand.hover.answered(id, found, edges),
      onFailure: (photo, revision, message) => {
        editor.failed(photo, revision)
        onError(message)
      },
    })
  }, [decoder, editor, hand, onError])
  useEffect(() => {
    shelf.hold(current ? [current, ...ahead] : ahead)
  }, [shelf, current, ahead])
  useEffect(
    () => () => {
      closer.leave()
      shelf.hold([])
      decoder.stop()
      painter.stop()
    },
    [closer, shelf, decoder, painter],
  )
  const openedAt = useRef(0)
  const opened = current?.image.id
  const isWatching = onTakeOver !== null
  // What another window does is followed; what this one does, it knows best itself.
  const watched = isWatching ? current?.masks : null
  // Not whenever the assignment changes: a lease that was taken again goes on with the same photo, undo and all.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    if (current) {
      const { id, height, width } = current.image
      const { isWanted = () => false, isLocked } = JOBS[current.job] ?? {}
      const since = outbox.operationsOn(id, current.asOf)
      editor.open(id, masksOf(current.masks, since, isLocked, user), { height, width })
      // Begin with what the job is about.
      const wanted = new Set(current.masks.filter(isWanted).map(mask => mask.id))
      editor.select(editor.state.masks.find(own => wanted.has(own.id))?.id ?? null)
    } else editor.close()
    hand.escape()
    look.reset()
    closer.leave()
    hand.hover.reset()
    openedAt.current = performance.now()
    clock.take(performance.now())
  }, [editor, look, closer, hand, opened, outbox, clock, watched, user])
  useDrafts(editor, drafts, isWatching ? undefined : opened)
  useEffect(() => {
    hand.canWrite = !isWatching
  }, [hand, isWatching])
  useAnnouncements(editor)

  const photo = useSyncExternalStore(shelf.subscribe, () => shelf.get(current?.image.id))
  const { past, future, candidates, selected, isWaiting, isPromised } = useStore(editor.store)
  const escapeRef = useRef(() => false)
  const handleRef = useRef<StageHandle>(null)
  const wordsRef = useRef<HTMLInputElement>(null)
  const colours = useColours(editor, photo.picture)
  const closerState = useSyncExternalStore(closer.subscribe, closer.getState)
  const touch = useCallback(() => clock.touch(performance.now()), [clock])

  const submit = (complete = false) => {
    // A double click, or a photo that nobody has seen yet: not an empty photo in the dataset.
    if (!photo.picture || performance.now() - openedAt.current < LOOK_MS) return
    // An outline in the making is closed, and no gesture goes on into the next photo.
    if (hand.gesture.name === 'drawing') hand.confirm()
    if (hand.gesture.name !== 'idle') {
      onError(t('Finish what you are drawing first, or press Escape.'))
      return
    }
    // An object in work is not thrown away: what is on show is taken, and where nothing is yet, the person is told.
    if (!current || (editor.isBusy && !editor.accept())) {
      if (current) onError(t('The object in work has no mask yet: wait for it, or press Escape.'))
      return
    }
    editor.whenSettled(() => send(current, complete))
  }

  const send = (own: Assignment, complete: boolean) => {
    // Begun while what was accepted last was on its way.
    if (editor.isBusy) {
      onError(t('The object in work has no mask yet: wait for it, or press Escape.'))
      return
    }
    const faulty = new Set(own.masks.filter(({ state }) => state === 'faulty').map(({ id }) => id))
    const left = own.job === 'correct' && editor.state.masks.find(({ id }) => faulty.has(id))
    if (left) {
      editor.select(left.id)
      onError(t('This mask was found faulty: correct it, or remove it.'))
      return
    }
    const masks = editor.state.masks.filter(mask => mask.isNew).map(mask => mask.id)
    outbox.add({ kind: 'submit', image: own.image.id, assignment: own.id, masks, complete })
    onSubmit(own)
  }

  const skip = (reason: string) => {
    if (!current) return
    // Nothing of it is kept, here or as a draft.
    editor.clear()
    drafts.keep(current.image.id, null)
    onSkip(current, reason)
  }

  const selectNext = (by: 1 | -1): boolean => {
    const { masks, selected: own } = editor.state
    if (!masks.length) return false
    const index = masks.findIndex(({ id }) => id === own)
    const next = index < 0 ? (by > 0 ? 0 : masks.length - 1) : (index + by + masks.length) % masks.length
    editor.select(masks[next]!.id)
    return true
  }

  const lookCloser = () => {
    if (closer.leave() || !current || !photo.isReady || !handleRef.current) return
    if (decoder.step.get().where === 'server') {
      onError(t('The server answers the clicks here, and it looks at the whole photo only.'))
      return
    }
    closer.look(current, handleRef.current.region()).then(
      isPart => !isPart && notify(t('That is the whole photo: zoom in on what is too small for the model.')),
      (error: unknown) => onError(error instanceof Error ? error.message : String(error)),
    )
  }

  const giveGestureUp = () => hand.gesture.name !== 'idle' && escapeRef.current()

  const run = (command: Command): boolean => {
    touch()
    if (isWatching && !WHILE_WATCHING.includes(command)) return false
    switch (command) {
      case 'accept':
        if (hand.confirm() || editor.accept()) return true
        if (editor.isBusy) notify(t('The object was not accepted: it has no mask.'))
        return editor.isBusy
      case 'submit':
        submit()
        return true
      case 'submit complete':
        submit(true)
        return true
      case 'escape':
        if (escapeRef.current() || editor.clear()) return true
        if (!editor.selection().length) return false
        editor.select(null)
        return true
      case 'undo':
        // In the middle of a gesture the gesture is what is taken back.
        if (!hand.back() && !giveGestureUp() && !editor.undo()) notify(t('There is nothing to undo here.'))
        return true
      case 'take back':
        if (hand.back() || giveGestureUp()) return true
        if (!editor.isBusy) return false
        editor.undo()
        return true
      case 'redo':
        editor.redo()
        return true
      case 'next candidate':
      case 'previous candidate':
        if (candidates.length < 2) return false
        editor.cycle(command === 'next candidate' ? 1 : -1)
        return true
      case 'candidate 1':
      case 'candidate 2':
      case 'candidate 3':
        editor.choose(Number(command.at(-1)) - 1)
        return true
      case 'delete':
        return hand.back() || editor.removeSelected()
      case 'fill holes':
      case 'remove islands':
      case 'merge':
      case 'subtract':
      case 'split':
        tell(command, OPERATIONS[command](editor))
        return true
      case 'tool words':
        wordsRef.current?.focus()
        return wordsRef.current !== null
      case 'tool prompt':
      case 'tool brush':
      case 'tool eraser':
      case 'tool polygon':
      case 'tool lasso':
      case 'tool select':
        hand.take(command.slice('tool '.length) as ToolName)
        return true
      case 'smaller brush':
      case 'larger brush':
        hand.resize(command === 'larger brush' ? 1 : -1)
        return true
      case 'hover preview':
        hand.hover.leave()
        toolbox.setState(({ isHoverOn }) => ({ isHoverOn: !isHoverOn }))
        return true
      case 'fit':
        handleRef.current?.fit()
        return true
      case 'actual size':
        handleRef.current?.actual()
        return true
      case 'look closer':
        lookCloser()
        return true
      case 'isolate':
        return look.isolate(selected ?? look.store.getState().hovered)
      case 'less fill':
      case 'more fill':
        look.setFill(look.store.getState().fill + (command === 'more fill' ? FILL_STEP : -FILL_STEP))
        return true
      case 'next object':
      case 'previous object':
        return selectNext(command === 'next object' ? 1 : -1)
      case 'zoom in':
      case 'zoom out':
        handleRef.current?.keyboard.zoom(command === 'zoom in' ? 1 : -1)
        return true
      case 'hand click':
      case 'hand click away':
        handleRef.current?.keyboard.click(command === 'hand click away')
        return true
      case 'hand press':
      case 'hand press away':
        handleRef.current?.keyboard.press(command === 'hand press away')
        return true
      case 'hand left':
      case 'hand right':
      case 'hand up':
      case 'hand down':
      case 'hand far left':
      case 'hand far right':
      case 'hand far up':
      case 'hand far down':
      case 'pan left':
      case 'pan right':
      case 'pan up':
      case 'pan down': {
        const [right, down] = DIRECTIONS[command.split(' ').at(-1)!]!
        if (command.startsWith('pan')) handleRef.current?.keyboard.pan(right, down)
        else handleRef.current?.keyboard.move(right, down, command.startsWith('hand far'))
        return true
      }
      case 'help':
        setOpen('keys')
        return true
      case 'guidelines':
        setOpen('guidelines')
        return true
      case 'skip':
        setOpen('skip')
        return true
    }
  }
  const { isHidden, isSpaceDown } = useWorkspaceKeys(run, ownKeys)
  const step = useSignal(decoder.step)
  useEffect(() => {
    if (step.where === 'server') closer.leave()
  }, [step, closer])
  useEffect(() => {
    // The server is not asked what a click would give.
    hand.canPreview = step.where === 'browser'
  }, [hand, step])
  const readyAhead = useSyncExternalStore(shelf.subscribe, () => {
    const waits = ahead.findIndex(({ image }) => !shelf.get(image.id).picture || !shelf.get(image.id).isReady)
    return waits < 0 ? ahead.length : waits
  })

  return (
    <div className={classes.workspace} onPointerMove={touch} data-testid="workspace" data-ahead={readyAhead}>
      <TopBar
        title={title}
        assignment={current}
        skipMenu={
          <SkipMenu
            isOpen={open === 'skip'}
            onOpen={isOpen => setOpen(isOpen ? 'skip' : null)}
            isDisabled={!current || isWatching}
            onSkip={skip}
          />
        }
        onBack={() => {
          editor.breakPromise()
          onBack()
        }}
        onUndo={past.length && !isWatching ? () => editor.undo() : null}
        onRedo={future.length && !isWatching ? () => editor.redo() : null}
        onGuidelines={() => setOpen('guidelines')}
        onKeys={() => setOpen('keys')}
        own={ownKeys}
        onSubmit={current && photo.picture && !isWatching ? submit : null}
      />

      <div className={classes.middle}>
        <div className={classes.part} inert={isWatching}>
          <ToolBar toolbox={toolbox} own={ownKeys} isCloser={closerState.name !== 'whole'} run={run} />
        </div>
        <main className={classes.pane}>
          {current ? (
            <Stage
              editor={editor}
              look={look}
              painter={painter}
              colours={colours}
              hand={hand}
              toolbox={toolbox}
              photo={current.image}
              name={current.image.file_name}
              canPrompt={photo.isReady && !isWatching}
              isHidden={isHidden}
              isSpaceDown={isSpaceDown}
              region={closerState.name === 'closer' ? closerState.region : null}
              onTouch={touch}
              escapeRef={escapeRef}
              handleRef={handleRef}
            />
          ) : (
            <div className={classes.centre}>{empty}</div>
          )}
          <CloserNotice state={closerState} onLeave={lookCloser} />
          {current?.checkpoint.text && !isWatching && (
            <TextPrompt
              editor={editor}
              checkpoint={current.checkpoint.id}
              canPrompt={photo.isReady}
              fieldRef={wordsRef}
              onError={onError}
            />
          )}
          {current && <FaultNotice editor={editor} own={ownKeys} onTakeBack={() => run('take back')} />}
          {current && <Preparation photo={photo} />}
          <SlowSign editor={editor} clock={clock} />
          {onTakeOver && <Watching onTakeOver={onTakeOver} />}
        </main>
        <div className={classes.part} inert={isWatching}>
          <SidePanel own={ownKeys} editor={editor} look={look} painter={painter} colours={colours} />
        </div>
      </div>
      <StatusLine
        outbox={outbox}
        decoder={isPromised ? t('Accepting…') : inWords(photo.isReady, isWaiting, step, lastMilliseconds)}
      />
      <KeySheet
        isOpen={open === 'keys'}
        onClose={close}
        own={ownKeys}
        onChange={keys => changePreferences({ keys })}
      />
      <Guidelines isOpen={open === 'guidelines'} onClose={close} text={guidelines} />
    </div>
  )
}

function Watching({ onTakeOver }: { onTakeOver: () => void }) {
  return (
    <Group className={classes.watching} gap="sm" role="status" data-testid="watching">
      <Text size="sm">
        {t('You have this photo open in another window. Here you see what happens there.')}
      </Text>
      <Button size="compact-sm" onClick={onTakeOver}>
        {t('Go on in this window')}
      </Button>
    </Group>
  )
}

function Preparation({ photo }: { photo: ReturnType<PhotoShelf['get']> }) {
  if (photo.problem) {
    return (
      <Alert className={classes.notice} color="red" title={t('This photo cannot be shown or prepared')}>
        {photo.problem}
      </Alert>
    )
  }
  if (photo.isReady && photo.picture) return null
  return (
    <Group className={classes.notice} gap="xs" role="status">
      <Loader size="xs" />
      <Text size="sm">
        {photo.picture ? t('The model is looking at the photo') : t('The photo is coming')}
        {photo.expectedSeconds !== null &&
          `, ${t('about {{seconds}} s', { seconds: Math.max(1, Math.round(photo.expectedSeconds)) })}`}
      </Text>
    </Group>
  )
}

function inWords(isReady: boolean, isWaiting: boolean, step: Step, milliseconds: number | null): string {
  const where =
    step.where === 'server'
      ? t('on the server, because this browser cannot: {{why}}', { why: step.why })
      : t('in this browser, WebAssembly, {{count}} threads', { count: step.threads })
  if (!isReady) return t('Model: getting ready')
  if (isWaiting) return t('Model: answering, {{where}}', { where })
  if (milliseconds === null) return t('Model: ready, {{where}}', { where })
  return t('Model: {{milliseconds}} ms, {{where}}', { milliseconds: Math.round(milliseconds), where })
}
