import { useMemo, useRef } from 'react'
import { useStore } from 'zustand'
import { assignColours, type Rgb, type SmallPhoto } from '../editor/colours'
import type { Editor } from '../editor/editor'

/** A colour for each of the photo's masks, kept for as long as the photo is open. */
export function useColours(editor: Editor, small: ImageBitmap | null): ReadonlyMap<string, Rgb> {
  const photo = useStore(editor.store, state => state.photo)
  const masks = useStore(editor.store, state => state.masks)
  const pixels = useMemo(() => pixelsOf(small), [small])
  const before = useRef<{ photo: string | null; pixels: SmallPhoto | null; colours: Map<string, Rgb> }>({
    photo: null,
    pixels: null,
    colours: new Map(),
  })
  return useMemo(() => {
    const own = before.current
    const isSame = own.photo === photo && own.pixels === pixels
    const colours = assignColours(masks, pixels, isSame ? own.colours : undefined)
    // What was removed keeps its colour in here, for undo.
    before.current = { photo, pixels, colours: new Map([...(isSame ? own.colours : []), ...colours]) }
    return colours
  }, [photo, masks, pixels])
}

/** One for all photos: a canvas's pixels lie outside the JavaScript heap, where nobody hurries to collect them. */
let canvas: HTMLCanvasElement | undefined

export function pixelsOf(small: ImageBitmap | null): SmallPhoto | null {
  if (!small?.width) return null
  const { width, height } = small
  canvas ??= document.createElement('canvas')
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d', { willReadFrequently: true })!
  context.clearRect(0, 0, width, height)
  context.drawImage(small, 0, 0)
  return context.getImageData(0, 0, width, height)
}
