/** Turned by the golden angle, so that neighbours in the list differ most; lighter and darker in turn for the colour-blind. */
export function colourOf(index: number, opacity = 1): string {
  const hue = (index * 137.508 + 172) % 360
  return `hsl(${hue.toFixed(0)} 85% ${index % 2 ? 68 : 56}% / ${opacity})`
}

/** The object in work. */
export const IN_WORK = '#4fd1c5'
