import { type PointerEvent, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { type Box, clampPoint, type ImagePoint } from '@/shared/geometry/points'
import { t } from '@/shared/i18n'
import type { Closer } from '../closer'
import type { Rgb } from '../editor/colours'
import type { Editor } from '../editor/editor'
import { inSight, type Look } from '../editor/look'
import { maskAt } from '../editor/order'
import type { Hand, HandAt } from '../tools/hand'
import { KeyboardHand } from '../tools/keyboardHand'
import { actual, type Extent, inView, panned, toPhoto, zoomed } from '../tools/panTool'
import type { ToolboxStore } from '../tools/toolbox'
import { Crosshair } from './Crosshair'
import { type Pointer, Pointers, pinched, wheelZoom } from './gestures'
import { PaintedLayers, useSize } from './layers'
import classes from './layers.module.css'
import type { PainterClient } from './painter/client'
import { Seen } from './seen'
import { ToolLayer } from './ToolLayer'

const DRAG_PX = 4
/** A view that has not changed for so long is at rest. */
const REST_MS = 120

/** What keys and buttons ask of the stage. */
export interface StageHandle {
  fit: () => void
  /** A pixel of the photo is a pixel of the screen. */
  actual: () => void
  /** The part of the photo that is in the window. */
  region: () => Box
  /** The hand that keys move. */
  keyboard: KeyboardHand
  /** Give the gesture up. Returns whether there was one. */
  escape: () => boolean
  /** Take the keys. */
  focus: () => void
}

type HandEvent = Pick<
  MouseEvent,
  'clientX' | 'clientY' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'button' | 'buttons'
>

interface StageProps {
  editor: Editor
  hand: Hand
  toolbox: ToolboxStore
  look: Look
  painter: PainterClient
  colours: ReadonlyMap<string, Rgb>
  photo: Extent & { id: string }
  name: string
  canPrompt: boolean
  isModelOut: boolean
  isHidden: boolean
  isSpaceDown: boolean
  closer: Closer
  onTouch: () => void
  handleRef: { current: StageHandle | null }
}

/** The photo, its masks and the hand. */
export function Stage(props: StageProps) {
  const { editor, hand, toolbox, look, painter, colours, photo, name } = props
  const { canPrompt, isModelOut, isHidden, isSpaceDown, closer, onTouch, handleRef } = props
  const stage = useRef<HTMLDivElement>(null)
  const pane = useRef<Extent>({ width: 1, height: 1 })
  /** Where the stage is in the window; null: to be read. */
  const origin = useRef<{ left: number; top: number } | null>(null)
  const tool = useStore(toolbox, state => state.tool)
  const closerState = useSyncExternalStore(closer.subscribe, closer.getState)
  const [pointers] = useState(() => new Pointers())
  const press = useRef<{ at_screen: ImagePoint; isPan: boolean; isDrag: boolean } | null>(null)

  // Another photo begins fitted.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same photo goes on, whatever else of it is new
  const seen = useMemo(() => new Seen(photo, pane.current), [photo.id])
  const newest = useRef(seen)
  newest.current = seen
  useSize(stage, (width, height) => {
    pane.current = { width, height }
    origin.current = null
    seen.resize(pane.current)
  })
  const keyboard = useMemo(
    () =>
      new KeyboardHand(hand, {
        view: () => newest.current.get(),
        pane: () => newest.current.pane,
        photo: () => newest.current.photo,
        show: next => newest.current.show(next),
      }),
    [hand],
  )
  const giveUp = () => {
    press.current = null
    keyboard.letGo()
    return hand.escape()
  }
  handleRef.current = {
    keyboard,
    escape: giveUp,
    focus: () => stage.current?.focus({ preventScroll: true }),
    fit: () => seen.show(null),
    actual: () => seen.show(actual(seen.get(), seen.pane, window.devicePixelRatio || 1)),
    region: () => inView(seen.get(), photo, seen.pane),
  }
  useEffect(() => {
    Object.assign(hand, { canPrompt, isModelOut })
  }, [hand, canPrompt, isModelOut])
  useEffect(() => {
    const element = stage.current!
    keyboard.leave()
    const write = () => {
      const { scale, offsetX, offsetY } = seen.get()
      Object.assign(element.dataset, { scale, offsetX, offsetY })
    }
    write()
    let moving: ReturnType<typeof setTimeout> | undefined
    const forget = seen.subscribe(() => {
      if (moving === undefined) write()
      clearTimeout(moving)
      moving = setTimeout(() => {
        moving = undefined
        write()
      }, REST_MS)
    })
    return () => {
      clearTimeout(moving)
      forget()
    }
  }, [seen, keyboard])

  const atScreen = (event: { clientX: number; clientY: number }): ImagePoint => {
    origin.current ??= stage.current!.getBoundingClientRect()
    const { left, top } = origin.current
    return { x: event.clientX - left, y: event.clientY - top }
  }

  const handAt = (event: HandEvent, isDrag: boolean): HandAt => ({
    at: toPhoto(seen.get(), atScreen(event)),
    scale: seen.get().scale,
    isDrag,
    isBackground: event.altKey || event.button === 2 || (event.buttons & 2) !== 0,
    isSelecting: event.ctrlKey || event.metaKey,
    isShift: event.shiftKey,
  })
  const clamped = (own: HandAt): HandAt => ({ ...own, at: clampPoint(own.at, photo) })

  const pointerOf = (event: PointerEvent): Pointer => ({
    id: event.pointerId,
    kind: event.pointerType,
    at_screen: atScreen(event),
    isDown: event.buttons !== 0,
  })
  const takePressBack = () => {
    press.current = null
    hand.takePressBack()
  }

  const onPointerDown = (event: PointerEvent) => {
    onTouch()
    keyboard.leave()
    origin.current = null
    stage.current!.focus({ preventScroll: true })
    const pointer = pointerOf(event)
    const { isPress, isGivenUp } = pointers.down(pointer)
    if (isGivenUp) takePressBack()
    stage.current!.setPointerCapture(event.pointerId)
    if (!isPress) return
    const isPan = event.button === 1 || isSpaceDown
    press.current = { at_screen: pointer.at_screen, isPan, isDrag: false }
    if (isPan || event.button > 2) return
    const own = handAt(event, false)
    if (own.at.x < 0 || own.at.y < 0 || own.at.x > photo.width || own.at.y > photo.height) return
    hand.down(own)
  }

  /** What the press has begun ends here; where the hand is unknown it is taken back. */
  const letGo = (own: HandAt | null) => {
    const held = press.current
    press.current = null
    if (!held || held.isPan) return
    if (own) hand.up(own)
    else hand.takePressBack()
  }

  const onPointerMove = (event: PointerEvent) => {
    const moved = pointers.move(pointerOf(event))
    if (!moved) return
    if (moved === 'let go') {
      letGo(hand.over)
      return
    }
    if (moved !== 'hand') {
      onTouch()
      seen.show(pinched(seen.get(), moved, photo, seen.pane))
      return
    }
    const held = press.current
    // A window that moves under a hand at rest is no move of the hand.
    if (event.movementX || event.movementY) keyboard.leave()
    if (!held) {
      const { x, y } = toPhoto(seen.get(), atScreen(event))
      const masks = inSight(editor.state.masks, look.store.getState())
      look.hover(isHidden ? null : maskAt(masks, x, y))
    }
    if (held?.isPan) {
      onTouch()
      const at_screen = atScreen(event)
      seen.show(panned(seen.get(), at_screen.x - held.at_screen.x, at_screen.y - held.at_screen.y))
      held.at_screen = at_screen
      return
    }
    if (held) {
      onTouch()
      const at_screen = atScreen(event)
      held.isDrag ||= Math.hypot(at_screen.x - held.at_screen.x, at_screen.y - held.at_screen.y) > DRAG_PX
    }
    // A quick hand is at many places between two frames: a stroke goes through all of them.
    const all = event.nativeEvent.getCoalescedEvents?.() ?? []
    hand.move((all.length ? all : [event]).map(one => clamped(handAt(one, held?.isDrag ?? false))))
  }

  const onPointerUp = (event: PointerEvent) => {
    if (pointers.up(event.pointerId)) letGo(clamped(handAt(event, press.current?.isDrag ?? false)))
  }

  // Not through React, whose wheel listeners cannot keep the browser from going back a page with Alt, or zooming with Ctrl.
  const onWheel = useRef<(event: WheelEvent) => void>(() => {})
  onWheel.current = event => {
    event.preventDefault()
    onTouch()
    if (event.altKey) {
      hand.wheel(event.deltaY > 0 || event.deltaX > 0 ? 1 : -1)
      return
    }
    seen.show(zoomed(seen.get(), wheelZoom(event), atScreen(event), photo, seen.pane))
  }
  useEffect(() => {
    const element = stage.current!
    const listen = (event: WheelEvent) => onWheel.current(event)
    element.addEventListener('wheel', listen, { passive: false })
    return () => element.removeEventListener('wheel', listen)
  }, [])

  return (
    <div
      ref={stage}
      className={classes.stage}
      data-panning={isSpaceDown}
      data-tool={tool}
      data-testid="stage"
      role="application"
      aria-label={t('The photo, where masks are made')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys go where the hand works
      tabIndex={0}
      onPointerEnter={() => {
        origin.current = null
      }}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={event => {
        if (pointers.up(event.pointerId)) takePressBack()
      }}
      onPointerLeave={event => {
        if (!pointers.isHand(event.pointerId)) return
        look.hover(null)
        hand.leave()
      }}
      onContextMenu={event => event.preventDefault()}
    >
      <PaintedLayers
        seen={seen}
        photo={photo.id}
        name={name}
        painter={painter}
        editor={editor}
        look={look}
        colours={colours}
        isHidden={isHidden}
        region={closerState.name === 'closer' ? closerState.region : null}
      />
      <ToolLayer seen={seen} editor={editor} hand={hand} toolbox={toolbox} isHidden={isHidden} />
      <Crosshair keyboard={keyboard} seen={seen} />
    </div>
  )
}
