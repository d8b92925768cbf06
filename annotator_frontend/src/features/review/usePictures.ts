import { useEffect, useState, useSyncExternalStore } from 'react'
import { Pictures, type ShownPicture } from './pictures'
import type { Question } from './verifying'

/** The photo of the first question; those of the next ones are held behind it. */
export function usePictures(ahead: readonly Question[]): ShownPicture {
  const [pictures] = useState(() => new Pictures())
  useEffect(() => pictures.hold(ahead), [pictures, ahead])
  useEffect(() => () => pictures.hold([]), [pictures])
  return useSyncExternalStore(pictures.subscribe, () => pictures.get(ahead[0]?.image.id))
}
