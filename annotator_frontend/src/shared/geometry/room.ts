import type { Size } from './points'

/**
 * Of photos in the order in which they are needed: how many there is room for. A photo takes what its pixels take, however small its
 * file is.
 *
 * @param always so many of them are held whatever they are.
 */
export function roomFor(photos: readonly Size[], mostPixels: number, always: number): number {
  let pixels = 0
  const beyond = photos.findIndex(({ height, width }, index) => {
    pixels += height * width
    return index >= always && pixels > mostPixels
  })
  return beyond < 0 ? photos.length : beyond
}
