import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useSignal } from '@/shared/api/signal'
import { usePreferences } from '@/shared/api/usePreferences'
import { t } from '@/shared/i18n'
import { Stage } from './canvas/Stage'
import { useColours } from './canvas/useColours'
import { run } from './commands'
import type { Command } from './keys'
import { leaveOnceAccepted } from './leaving'
import { CloserNotice } from './panels/CloserNotice'
import { FaultNotice } from './panels/FaultNotice'
import { Guidelines } from './panels/Guidelines'
import { KeySheet } from './panels/KeySheet'
import { Preparation } from './panels/Preparation'
import { SidePanel } from './panels/SidePanel'
import { SkipMenu } from './panels/SkipMenu'
import { SlowSign } from './panels/SlowSign'
import { StatusLine } from './panels/StatusLine'
import { TextPrompt } from './panels/TextPrompt'
import { ToolBar } from './panels/ToolBar'
import { TopBar } from './panels/TopBar'
import { Watching } from './panels/Watching'
import type { Assignment } from './photoShelf'
import type { DraftKeeper } from './saving/drafts'
import type { Outbox } from './saving/outbox'
import { useDrafts } from './saving/useDrafts'
import { rememberTools } from './toolMemory'
import { useAnnouncements } from './useAnnouncements'
import { useKeysOnPhoto } from './useKeysOnPhoto'
import { useOpenPhoto } from './useOpenPhoto'
import { usePreferredLook } from './usePreferredLook'
import { useWorkClock } from './useWorkClock'
import { useWorkspaceKeys } from './useWorkspaceKeys'
import { Workbench } from './workbench'
import classes from './workspace.module.css'

const NO_KEYS = {}

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
  /** Filled with whether something of the photo is in work. */
  atWork: { current: () => boolean }
  /** Where another window of the person's writes to the photo: this one only looks, until it takes the photo over. */
  onTakeOver: (() => void) | null
  /** What to show where there is no photo. */
  empty: React.ReactNode
  onBack: () => void
  onSubmit: (assignment: Assignment) => void
  onSkip: (assignment: Assignment, reason: string) => void
  onError: (message: string) => void
  /** Leave for another page of Maskloop, by its address. */
  onOpen: (place: string) => void
}

/** Where masks are made: one photo fills the window, and the next one is there already. */
export function Workspace(props: WorkspaceProps) {
  const { user, title, guidelines, current, ahead, outbox, drafts, atWork, onTakeOver, empty } = props
  const { onBack, onSubmit, onSkip, onError, onOpen } = props
  const isWatching = onTakeOver !== null

  const [bench] = useState(() => new Workbench(outbox))
  const { editor, hand, look, toolbox, painter, closer, shelf, clock, dialog } = bench
  bench.surroundings = { onSubmit, onError, onOpen }
  useEffect(() => () => bench.stop(), [bench])
  useEffect(() => {
    atWork.current = () => editor.isBusy || hand.gesture.name !== 'idle'
  }, [atWork, editor, hand])
  useOpenPhoto(bench, current, ahead, isWatching, user)
  useDrafts(editor, drafts, isWatching ? undefined : current?.image.id)

  const [preferences, changePreferences] = usePreferences()
  const ownKeys = preferences.keys ?? NO_KEYS
  usePreferredLook(look, toolbox, preferences, changePreferences)
  useEffect(() => toolbox.subscribe(rememberTools), [toolbox])

  const opened = useSignal(dialog)
  const close = useCallback(() => dialog.set(null), [dialog])
  useWorkClock(clock, opened !== null)
  useAnnouncements(editor, hand, toolbox)
  const act = useCallback((command: Command) => run(command, bench), [bench])
  const { isHidden, isSpaceDown } = useWorkspaceKeys(act, ownKeys)
  const own = useRef<HTMLDivElement>(null)
  useKeysOnPhoto(own, bench.focusPhoto)

  const photo = useSyncExternalStore(shelf.subscribe, () => shelf.get(current?.image.id))
  const readyAhead = useSyncExternalStore(shelf.subscribe, () => {
    const waits = ahead.findIndex(({ image }) => !shelf.get(image.id).picture || !shelf.get(image.id).isReady)
    return waits < 0 ? ahead.length : waits
  })
  const colours = useColours(editor, photo.picture)

  const skip = (assignment: Assignment, reason: string) => {
    // Nothing of it is kept, here or as a draft.
    editor.clear()
    drafts.keep(assignment.image.id, null)
    onSkip(assignment, reason)
  }
  const stay = useRef(() => {})
  useEffect(() => () => stay.current(), [])
  const leave = () => {
    stay.current()
    stay.current = leaveOnceAccepted(editor, onBack, () =>
      onError(t('The object in work was not accepted yet. It is kept for when you come back to the photo.')),
    )
  }

  return (
    <div
      ref={own}
      className={classes.workspace}
      onPointerMove={bench.touch}
      data-testid="workspace"
      data-ahead={readyAhead}
    >
      <TopBar
        title={title}
        assignment={current}
        editor={editor}
        skipMenu={
          <SkipMenu
            isOpen={opened === 'skip'}
            onOpen={isOpen => dialog.set(isOpen ? 'skip' : null)}
            isDisabled={!current || isWatching}
            onSkip={reason => current && skip(current, reason)}
          />
        }
        own={ownKeys}
        run={act}
        isWatching={isWatching}
        canSubmit={photo.picture !== null && !isWatching}
        onBack={leave}
      />

      <div className={classes.middle}>
        <div className={classes.part} inert={isWatching}>
          <ToolBar toolbox={toolbox} closer={closer} own={ownKeys} run={act} />
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
              closer={closer}
              photo={current.image}
              name={current.image.file_name}
              canPrompt={photo.isReady && !isWatching}
              isModelOut={photo.isModelOut}
              isHidden={isHidden}
              isSpaceDown={isSpaceDown}
              onTouch={bench.touch}
              handleRef={bench.stage}
            />
          ) : (
            <div className={classes.centre}>{empty}</div>
          )}
          <CloserNotice closer={closer} onLeave={() => act('look closer')} />
          {current?.checkpoint.text && !isWatching && (
            <TextPrompt
              editor={editor}
              checkpoint={current.checkpoint.id}
              canPrompt={photo.isReady}
              fieldRef={bench.words}
              onError={onError}
            />
          )}
          <FaultNotice editor={editor} own={ownKeys} onTakeBack={() => act('take back')} />
          <Preparation photo={current && photo} onTryAgain={() => current && shelf.tryAgain(current)} />
          <SlowSign editor={editor} clock={clock} />
          <Watching onTakeOver={onTakeOver} />
        </main>
        <div className={classes.part} inert={isWatching}>
          <SidePanel
            own={ownKeys}
            run={act}
            editor={editor}
            look={look}
            painter={painter}
            colours={colours}
            onEmptied={bench.focusPhoto}
          />
        </div>
      </div>
      <StatusLine bench={bench} drafts={drafts} photo={photo} />
      <KeySheet
        isOpen={opened === 'keys'}
        onClose={close}
        own={ownKeys}
        onChange={keys => changePreferences({ keys })}
      />
      <Guidelines isOpen={opened === 'guidelines'} onClose={close} text={guidelines} />
    </div>
  )
}
