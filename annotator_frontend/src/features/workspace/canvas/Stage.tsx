import { type PointerEvent, useEffect, useMemo, useRef, useState, type WheelEvent } from 'react'
import { type Box, clampPoint, type ImagePoint } from '@/shared/geometry/points'
import type { Rgb } from '../editor/colours'
import type { Editor } from '../editor/editor'
import type { Look } from '../editor/look'
import { maskAt } from '../editor/order'
import { ToolMachine } from '../tools/machine'
import { actual, type Extent, fitted, inView, panned, toPhoto, type View, zoomed } from '../tools/panTool'
import { type PromptState, promptTool } from '../tools/promptTool'
import { PaintedLayers, PointerLayer, useSize } from './layers'
import classes from './layers.module.css'
import type { PainterClient } from './painter/client'

const DRAG_PX = 4
const ZOOM_PER_WHEEL_PX = 0.0015

/** What keys and buttons ask of the stage. */
export interface StageHandle {
  fit: () => void
  /** A pixel of the photo is a pixel of the screen. */
  actual: () => void
  /** The part of the photo that is in the window. */
  region: () => Box
}

interface StageProps {
  editor: Editor
  look: Look
  painter: PainterClient
  colours: ReadonlyMap<string, Rgb>
  photo: Extent & { id: string }
  name: string
  canPrompt: boolean
  isHidden: boolean
  isSpaceDown: boolean
  onTouch: () => void
  /** Called when the stage has a gesture to give up with Escape, and when it has not. */
  escapeRef: { current: () => boolean }
  handleRef: { current: StageHandle | null }
}

/** The photo, its masks and the hand. */
export function Stage(props: StageProps) {
  const { editor, look, painter, colours, photo, name, canPrompt, isHidden, isSpaceDown } = props
  const { onTouch, escapeRef, handleRef } = props
  const stage = useRef<HTMLDivElement>(null)
  const [pane, setPane] = useState<Extent>({ width: 1, height: 1 })
  const [view, setView] = useState<View | null>(null)
  const [, redraw] = useState(0)
  const machine = useRef<ToolMachine<PromptState, Parameters<Editor['addPrompt']>[0]>>(null)
  machine.current ??= new ToolMachine(promptTool, prompt => editor.addPrompt(prompt))
  const press = useRef<{ at_screen: ImagePoint; isPan: boolean; isDrag: boolean } | null>(null)

  useSize(stage, (width, height) => setPane({ width, height }))
  const whole = useMemo(() => fitted(photo, pane), [photo, pane])
  const shown = view ?? whole
  handleRef.current = {
    fit: () => setView(null),
    actual: () => setView(actual(shown, pane)),
    region: () => inView(shown, photo, pane),
  }
  escapeRef.current = () => {
    const gaveUp = machine.current!.escape()
    press.current = null
    if (gaveUp) redraw(n => n + 1)
    return gaveUp
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: another photo begins fitted
  useEffect(() => setView(null), [name, photo.width, photo.height])

  const atScreen = (event: { clientX: number; clientY: number }): ImagePoint => {
    const { left, top } = stage.current!.getBoundingClientRect()
    return { x: event.clientX - left, y: event.clientY - top }
  }

  const onPointerDown = (event: PointerEvent) => {
    onTouch()
    stage.current!.focus({ preventScroll: true })
    const at_screen = atScreen(event)
    const isPan = event.button === 1 || isSpaceDown
    press.current = { at_screen, isPan, isDrag: false }
    stage.current!.setPointerCapture(event.pointerId)
    if (isPan || !canPrompt || event.button > 2) return
    const at = toPhoto(shown, at_screen)
    if (at.x < 0 || at.y < 0 || at.x > photo.width || at.y > photo.height) return
    const means = event.button === 2 || event.altKey ? 'background' : 'foreground'
    machine.current!.send('pointerDown', { at, means, isDrag: false })
  }

  const onPointerMove = (event: PointerEvent) => {
    const held = press.current
    if (!held) {
      const { x, y } = toPhoto(shown, atScreen(event))
      look.hover(isHidden ? null : maskAt(editor.state.masks, x, y))
      return
    }
    onTouch()
    const at_screen = atScreen(event)
    const [dx, dy] = [at_screen.x - held.at_screen.x, at_screen.y - held.at_screen.y]
    if (held.isPan) {
      setView(panned(shown, dx, dy))
      held.at_screen = at_screen
      return
    }
    held.isDrag ||= Math.hypot(dx, dy) > DRAG_PX
    const at = clampPoint(toPhoto(shown, at_screen), photo)
    machine.current!.send('pointerMove', { at, means: 'foreground', isDrag: held.isDrag })
    if (held.isDrag) redraw(n => n + 1)
  }

  const onPointerUp = (event: PointerEvent) => {
    const held = press.current
    press.current = null
    if (!held || held.isPan) return
    const at = clampPoint(toPhoto(shown, atScreen(event)), photo)
    machine.current!.send('pointerUp', { at, means: 'foreground', isDrag: held.isDrag })
    redraw(n => n + 1)
  }

  const onWheel = (event: WheelEvent) => {
    onTouch()
    const factor = Math.exp(-event.deltaY * ZOOM_PER_WHEEL_PX)
    setView(zoomed(shown, factor, atScreen(event), photo, pane))
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the hand's place of work; keys are handled by the workspace
    <div
      ref={stage}
      className={classes.stage}
      data-panning={isSpaceDown}
      data-testid="stage"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys go where the hand works
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => escapeRef.current()}
      onWheel={onWheel}
      onPointerLeave={() => look.hover(null)}
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
      />
      <PointerLayer view={shown} editor={editor} gesture={machine.current.state} />
    </div>
  )
}
