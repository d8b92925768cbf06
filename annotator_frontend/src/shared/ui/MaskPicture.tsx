import { useEffect, useRef } from 'react'
import type { Bitmask } from '@/shared/geometry/bitmask'

export interface Layer {
  mask: Bitmask
  /** Red, green, blue, 0 to 255. */
  colour: readonly [number, number, number]
}

interface MaskPictureProps {
  /** The photo's thumbnail. */
  src: string
  /** Said to screen readers. */
  name: string
  /** Height and width of the masks' frame; where it is square, the photo lies in its upper left corner. */
  size: { height: number; width: number }
  layers: readonly Layer[]
  /** The masks' frame is a square that the photo's longest side fills. */
  isSquare?: boolean
}

const STRENGTH = 120 // of a mask's colour over the photo, of 255

/** A small photo with masks over it. */
export function MaskPicture({ src, name, size, layers, isSquare = false }: MaskPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const photo = useRef<HTMLImageElement>(null)
  useEffect(() => {
    const draw = () => {
      const [target, image] = [canvas.current, photo.current]
      const context = target?.getContext('2d')
      if (!target || !image || !context || !image.complete || !image.naturalWidth) return
      const scale = size.width / Math.max(image.naturalWidth, image.naturalHeight)
      target.width = isSquare ? Math.max(1, Math.round(image.naturalWidth * scale)) : size.width
      target.height = isSquare ? Math.max(1, Math.round(image.naturalHeight * scale)) : size.height
      const pixels = context.createImageData(target.width, target.height)
      for (const { mask, colour } of layers) lay(pixels, mask, colour)
      context.putImageData(pixels, 0, 0)
    }
    draw()
    const image = photo.current
    image?.addEventListener('load', draw)
    return () => image?.removeEventListener('load', draw)
  }, [layers, size.height, size.width, isSquare])
  return (
    <span style={{ position: 'relative', display: 'block', lineHeight: 0 }}>
      <img ref={photo} src={src} alt={name} style={{ width: '100%', borderRadius: 4 }} />
      <canvas
        ref={canvas}
        aria-hidden
        style={{ position: 'absolute', inset: 0, width: '100%', height: '100%', borderRadius: 4 }}
      />
    </span>
  )
}

function lay(
  { data, width, height }: ImageData,
  { box: [x0, y0, x1, y1], bits }: Bitmask,
  colour: Layer['colour'],
): void {
  for (let y = y0; y < Math.min(y1, height); y++) {
    for (let x = x0; x < Math.min(x1, width); x++) {
      if (!bits[(y - y0) * (x1 - x0) + x - x0]) continue
      const at = 4 * (y * width + x)
      data.set([...colour, STRENGTH], at)
    }
  }
}
