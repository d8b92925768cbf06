import { type PointerEvent, useEffect, useMemo, useRef, useState } from 'react'
import { useStore } from 'zustand'
import { type Box, clampPoint, type ImagePoint } from '@/shared/geometry/points'
import { t } from '@/shared/i18n'
import type { Rgb } from '../editor/colours'
import type { Editor } from '../editor/editor'
import type { Look } from '../editor/look'
import { maskAt } from '../editor/order'
import type { Hand, HandAt } from '../tools/hand'
import { KeyboardHand } from '../tools/keyboardHand'
import { actual, type Extent, fitted, inView, panned, toPhoto, type View, zoomed } from '../tools/panTool'
import type { ToolboxStore } from '../tools/toolbox'
import { Crosshair } from './Crosshair'
import { PaintedLayers, useSize } from './layers'
import classes from './layers.module.css'
import type { PainterClient } from './painter/client'
import { ToolLayer } from './ToolLayer'

const DRAG_PX = 4
const ZOOM_PER_WHEEL_PX = 0.0015

/** What keys and buttons ask of the stage. */
export interface StageHandle {
  fit: () => void
  /** A pixel of the photo is a pixel of the screen. */
  actual: () => void
  /** The part of the photo that is in the window. */
  region: () => Box
  /** The hand that keys move. */
  keyboard: KeyboardHand
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
  isHidden: boolean
  isSpaceDown: boolean
  /** The part of the photo that the model looks at; null: all of it. */
  region: Box | null
  onTouch: () => void
  /** Called when the stage has a gesture to give up with Escape, and when it has not. */
  escapeRef: { current: () => boolean }
  handleRef: { current: StageHandle | null }
}

/** The photo, its masks and the hand. */
export function Stage(props: StageProps) {
  const { editor, hand, toolbox, look, painter, colours, photo, name } = props
  const { canPrompt, isHidden, isSpaceDown, region, onTouch, escapeRef, handleRef } = props
  const stage = useRef<HTMLDivElement>(null)
  const [pane, setPane] = useState<Extent>({ width: 1, height: 1 })
  const [view, setView] = useState<View | null>(null)
  const tool = useStore(toolbox, state => state.tool)
  const press = useRef<{ at_screen: ImagePoint; isPan: boolean; isDrag: boolean } | null>(null)

  useSize(stage, (width, height) => setPane({ width, height }))
  const whole = useMemo(() => fitted(photo, pane), [photo, pane])
  const shown = view ?? whole
  const seen = useRef({ shown, pane, photo })
  seen.current = { shown, pane, photo }
  const keyboard = useMemo(
    () =>
      new KeyboardHand(hand, {
        view: () => seen.current.shown,
        pane: () => seen.current.pane,
        photo: () => seen.current.photo,
        show: next => {
          seen.current.shown = next // a second key may come before this is drawn
          setView(next)
        },
      }),
    [hand],
  )
  handleRef.current = {
    keyboard,
    fit: () => setView(null),
    actual: () => setView(actual(shown, pane)),
    region: () => inView(shown, photo, pane),
  }
  escapeRef.current = () => {
    press.current = null
    keyboard.letGo()
    return hand.escape()
  }
  useEffect(() => {
    hand.canPrompt = canPrompt
  }, [hand, canPrompt])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another photo begins fitted
  useEffect(() => {
    setView(null)
    keyboard.leave()
  }, [photo.id])

  const atScreen = (event: { clientX: number; clientY: number }): ImagePoint => {
    const { left, top } = stage.current!.getBoundingClientRect()
    return { x: event.clientX - left, y: event.clientY - top }
  }

  const handAt = (event: HandEvent, isDrag: boolean): HandAt => ({
    at: toPhoto(shown, atScreen(event)),
    scale: shown.scale,
    isDrag,
    isBackground: event.altKey || event.button === 2 || (event.buttons & 2) !== 0,
    isSelecting: event.ctrlKey || event.metaKey,
    isShift: event.shiftKey,
  })
  const clamped = (own: HandAt): HandAt => ({ ...own, at: clampPoint(own.at, photo) })

  const onPointerDown = (event: PointerEvent) => {
    onTouch()
    keyboard.leave()
    stage.current!.focus({ preventScroll: true })
    const at_screen = atScreen(event)
    const isPan = event.button === 1 || isSpaceDown
    press.current = { at_screen, isPan, isDrag: false }
    stage.current!.setPointerCapture(event.pointerId)
    if (isPan || event.button > 2) return
    const own = handAt(event, false)
    if (own.at.x < 0 || own.at.y < 0 || own.at.x > photo.width || own.at.y > photo.height) return
    hand.down(own)
  }

  const onPointerMove = (event: PointerEvent) => {
    const held = press.current
    // A window that moves under a hand at rest is no move of the hand.
    if (event.movementX || event.movementY) keyboard.leave()
    if (!held) {
      const { x, y } = toPhoto(shown, atScreen(event))
      look.hover(isHidden ? null : maskAt(editor.state.masks, x, y))
    }
    if (held?.isPan) {
      onTouch()
      const at_screen = atScreen(event)
      setView(panned(shown, at_screen.x - held.at_screen.x, at_screen.y - held.at_screen.y))
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
    const held = press.current
    press.current = null
    if (held && !held.isPan) hand.up(clamped(handAt(event, held.isDrag)))
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
    const factor = Math.exp(-event.deltaY * ZOOM_PER_WHEEL_PX)
    setView(zoomed(shown, factor, atScreen(event), photo, pane))
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
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => escapeRef.current()}
      onPointerLeave={() => {
        look.hover(null)
        hand.leave()
      }}
      onContextMenu={event => event.preventDefault()}
      data-scale={shown.scale}
      data-offset-x={shown.offsetX}
      data-offset-y={shown.offsetY}
    >
      <PaintedLayers
        view={shown}
        pane={pane}
        photo={photo.id}
        name={name}
        painter={painter}
        editor={editor}
        look={look}
        colours={colours}
        isHidden={isHidden}
        region={region}
      />
      <ToolLayer view={shown} editor={editor} hand={hand} toolbox={toolbox} isHidden={isHidden} />
      <Crosshair keyboard={keyboard} view={shown} />
    </div>
  )
}
