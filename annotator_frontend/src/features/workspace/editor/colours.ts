import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Box, Size } from '@/shared/geometry/points'

export type Rgb = readonly [number, number, number]

/**
 * The palette of Okabe and Ito (Color Universal Design, 2008) without its black: seven colours that stay apart for people who
 * see no red, no green or no blue. The tests measure how far.
 */
export const PALETTE: readonly Rgb[] = [
  [0xe6, 0x9f, 0x00], // orange
  [0x56, 0xb4, 0xe9], // sky blue
  [0xf0, 0xe4, 0x42], // yellow
  [0xcc, 0x79, 0xa7], // reddish purple
  [0x00, 0x9e, 0x73], // bluish green
  [0xd5, 0x5e, 0x00], // vermilion
  [0x00, 0x72, 0xb2], // blue
]

/** The object in work: brighter than any of the palette. */
export const IN_WORK: Rgb = [0x5c, 0xff, 0xe4]

export function cssOf([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`
}

/** How colours look, as matrices on linear RGB: to most people, and without red, green or blue cones (Machado, Oliveira and Fernandes 2009, severity 1). */
export const VISIONS = {
  usual: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const

export type Vision = keyof typeof VISIONS
const ALL_VISIONS = Object.keys(VISIONS) as Vision[]

const LINEAR = Float64Array.from({ length: 256 }, (_, value) => {
  const share = value / 255
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
})

/** CIE L*a*b* (D65) of a colour as somebody sees it. */
export function labOf([red, green, blue]: Rgb, vision: Vision = 'usual'): [number, number, number] {
  const own = [LINEAR[red]!, LINEAR[green]!, LINEAR[blue]!] as const
  const m = VISIONS[vision]
  const seen = [0, 3, 6].map(row =>
    Math.min(Math.max(m[row]! * own[0] + m[row + 1]! * own[1] + m[row + 2]! * own[2], 0), 1),
  ) as [number, number, number]
  const [r, g, b] = seen
  const x = curve((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047)
  const y = curve(0.2126729 * r + 0.7151522 * g + 0.072175 * b)
  const z = curve((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

function curve(share: number): number {
  return share > 216 / 24389 ? Math.cbrt(share) : ((24389 / 27) * share + 16) / 116
}

/** How far apart two colours are (CIE 1976 ΔE) to whoever tells them apart worst. 2 is just seen, 15 is plain. */
export function distance(a: Rgb, b: Rgb): number {
  return Math.min(
    ...ALL_VISIONS.map(vision => {
      const [one, other] = [labOf(a, vision), labOf(b, vision)]
      return Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2])
    }),
  )
}

/** A photo made small, to measure colours on. RGBA. */
export interface SmallPhoto extends Size {
  data: Uint8ClampedArray
}

export interface Coloured {
  id: string
  mask: Bitmask
}

const SAMPLES = 24
/** As near as this to a neighbour's box, a mask is its neighbour: a share of the photo's longer side. */
const NEAR = 0.01

/**
 * A colour for each mask: the one that stands out most from the photo's pixels under it, and that no neighbour has, where one
 * is left. Masks that had a colour keep it.
 */
export function assignColours(
  masks: readonly Coloured[],
  photo: SmallPhoto | null,
  before: ReadonlyMap<string, Rgb> = new Map(),
): Map<string, Rgb> {
  const colours = new Map<string, Rgb>()
  const used = new Map<Rgb, number>(PALETTE.map(colour => [colour, 0]))
  const take = (id: string, colour: Rgb) => {
    colours.set(id, colour)
    used.set(colour, (used.get(colour) ?? 0) + 1)
  }
  for (const { id } of masks) {
    const kept = before.get(id)
    if (kept) take(id, kept)
  }
  masks.forEach(({ id, mask }) => {
    if (colours.has(id)) return
    const neighbours = new Set<Rgb>()
    for (const other of masks) {
      const colour = colours.get(other.id)
      if (colour && areNear(mask, other.mask)) neighbours.add(colour)
    }
    const under = photo ? contrasts(mask, photo) : PALETTE.map(() => 0)
    const score = (colour: Rgb, index: number) =>
      under[index]! - (neighbours.has(colour) ? 1000 : 0) - 4 * used.get(colour)!
    const best = PALETTE.reduce(
      (best, colour, index) => (score(colour, index) > score(PALETTE[best]!, best) ? index : best),
      0,
    )
    take(id, PALETTE[best]!)
  })
  return colours
}

function areNear({ box: a, size }: Bitmask, { box: b }: Bitmask): boolean {
  const margin = NEAR * Math.max(size.height, size.width)
  const apart = (one: Box, other: Box) => one[0] > other[2] + margin || one[1] > other[3] + margin
  return !apart(a, b) && !apart(b, a)
}

const paletteLab = new Map<Vision, [number, number, number][]>()

/** How far each colour of the palette is from the photo's pixels under a mask, on average, to whoever sees it worst. */
export function contrasts(mask: Bitmask, photo: SmallPhoto): number[] {
  const pixels = sampled(mask, photo)
  const worst = PALETTE.map(() => Number.POSITIVE_INFINITY)
  for (const vision of ALL_VISIONS) {
    if (!paletteLab.has(vision)) {
      paletteLab.set(
        vision,
        PALETTE.map(colour => labOf(colour, vision)),
      )
    }
    const labs = pixels.map(pixel => labOf(pixel, vision))
    paletteLab.get(vision)!.forEach((own, index) => {
      let sum = 0
      for (const lab of labs) sum += Math.hypot(own[0] - lab[0], own[1] - lab[1], own[2] - lab[2])
      worst[index] = Math.min(worst[index]!, labs.length ? sum / labs.length : 0)
    })
  }
  return worst
}

/** Pixels of the photo under a mask, spread over it. */
function sampled({ box: [x0, y0, x1], bits, size }: Bitmask, photo: SmallPhoto): Rgb[] {
  const found: Rgb[] = []
  const width = x1 - x0
  // A step that shares no factor with the width, so that samples do not stand in columns.
  let step = Math.max(1, Math.floor(bits.length / (SAMPLES * 3)))
  if (width && step % width === 0) step++
  for (let at = step >> 1; at < bits.length && found.length < 2 * SAMPLES; at += step) {
    if (!bits[at]) continue
    const x = Math.min(photo.width - 1, Math.floor(((x0 + (at % width)) * photo.width) / size.width))
    const y = Math.min(
      photo.height - 1,
      Math.floor(((y0 + Math.floor(at / width)) * photo.height) / size.height),
    )
    const from = 4 * (y * photo.width + x)
    found.push([photo.data[from]!, photo.data[from + 1]!, photo.data[from + 2]!])
  }
  return found
}
