import { useEffect, useRef, useState } from 'react'
import { bytesOf, isPassing } from '@/shared/api/client'
import type { Question } from './verifying'

/** Photos that are held decoded: the one on show and those that come. */
const MOST_PICTURES = 6
const TRY_AGAIN_MS = 3000

/** The photo of the first question, fetched before it is needed, and those of the next ones behind it. */
export function usePictures(
  ahead: readonly Question[],
  onError: (error: unknown) => void,
): ImageBitmap | null {
  const held = useRef(new Map<string, ImageBitmap | null>())
  const [, redraw] = useState(0)
  const [tries, setTries] = useState(0)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const fail = useRef(onError)
  fail.current = onError

  // biome-ignore lint/correctness/useExhaustiveDependencies: once more after each failure that passes
  useEffect(() => {
    const wanted = [...new Map(ahead.map(({ image }) => [image.id, image])).values()].slice(0, MOST_PICTURES)
    for (const [id, picture] of held.current) {
      if (!wanted.some(image => image.id === id)) {
        picture?.close()
        held.current.delete(id)
      }
    }
    for (const { id, pixels_url } of wanted) {
      if (held.current.has(id)) continue
      held.current.set(id, null)
      bytesOf(pixels_url)
        .then(response => response.blob())
        .then(blob => createImageBitmap(blob))
        .then(picture => {
          if (held.current.has(id)) {
            held.current.set(id, picture)
            redraw(n => n + 1)
          } else picture.close()
        })
        .catch((error: unknown) => {
          held.current.delete(id)
          if (!isPassing(error)) return fail.current(error)
          clearTimeout(timer.current)
          timer.current = setTimeout(() => setTries(n => n + 1), TRY_AGAIN_MS)
        })
    }
  }, [ahead, tries])
  useEffect(
    () => () => {
      clearTimeout(timer.current)
      for (const picture of held.current.values()) picture?.close()
      held.current.clear()
    },
    [],
  )
  const first = ahead[0]
  return first ? (held.current.get(first.image.id) ?? null) : null
}
