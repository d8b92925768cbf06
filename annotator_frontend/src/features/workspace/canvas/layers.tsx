import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef } from 'react'
import { useStore } from 'zustand'
import type { Box } from '@/shared/geometry/points'
import { t } from '@/shared/i18n'
import type { Rgb } from '../editor/colours'
import { standsBack } from '../editor/document'
import type { Editor } from '../editor/editor'
import type { Look } from '../editor/look'
import classes from './layers.module.css'
import type { PainterClient } from './painter/client'
import type { Seen } from './seen'
import { shownMasks } from './shownMasks'

const NOTHING: readonly never[] = []

interface PaintedLayersProps {
  seen: Seen
  painter: PainterClient
  editor: Editor
  look: Look
  colours: ReadonlyMap<string, Rgb>
  photo: string
  name: string
  isHidden: boolean
  region: Box | null
}

/** The photo and its masks: two canvases that the painter draws, each when it has to. */
export function PaintedLayers(props: PaintedLayersProps) {
  const { painter, editor, look, colours, seen, photo, name, isHidden, region } = props
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => painter.attach(host.current!, classes.layer!), [painter])
  useLayoutEffect(() => {
    const look = () => {
      const ratio = window.devicePixelRatio || 1
      painter.look({ photo, view: seen.get(), pane: seen.pane, ratio, isHidden, region })
    }
    look()
    return seen.subscribe(look)
  }, [painter, photo, seen, isHidden, region])

  const state = useStore(editor.store)
  const { chosen, selected, alsoSelected } = state
  const hidden = standsBack(state)
  const masks = useMemo(() => state.masks.filter(({ id }) => id !== hidden), [state.masks, hidden])
  // While a stroke goes on, what it paints on is in the stroke's own picture.
  const candidates = state.isPainting ? NOTHING : state.candidates
  const { fill, isolated, hovered } = useStore(look.store)
  const shown = useMemo(
    () => shownMasks({ masks, candidates, chosen, selected, alsoSelected, fill, isolated, hovered, colours }),
    [masks, candidates, chosen, selected, alsoSelected, fill, isolated, hovered, colours],
  )
  useLayoutEffect(() => {
    const serial = painter.show(shown)
    painter.onDrawn = drawn => {
      if (drawn === serial) host.current?.setAttribute('data-drawn', String(serial))
    }
  }, [painter, shown])
  return <div ref={host} className={classes.layer} role="img" aria-label={t('Photo {{name}}', { name })} />
}

/** Calls back with the size of an element whenever it changes. */
export function useSize(
  ref: RefObject<HTMLElement | null>,
  onSize: (width: number, height: number) => void,
): void {
  const newest = useRef(onSize)
  newest.current = onSize
  useEffect(() => {
    const element = ref.current
    if (!element) return
    const observer = new ResizeObserver(() => newest.current(element.clientWidth, element.clientHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [ref])
}
