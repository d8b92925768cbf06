/** Measured once, then remembered for as long as the browser keeps it: milliseconds of a decoder's run. */
export type Measure = (threads: number) => Promise<number>

/**
 * As many threads as the decoder is fastest with: on two cores, two are not always faster than one.
 *
 * @param key of the decoder: what is fastest for a small one need not be for a large one.
 * @param memory asked for late: where storage is forbidden, already to name it throws.
 */
export async function chooseThreads(
  most: number,
  key: string,
  measure: Measure,
  memory: () => Storage,
): Promise<number> {
  if (most === 1) return 1
  const remembered = recall(most, key, memory)
  if (remembered) return remembered
  // One after the other: beside each other they would measure each other.
  const many = await measure(most)
  const one = await measure(1)
  const chosen = many < one ? most : 1
  if (!Number.isFinite(Math.min(many, one))) return chosen
  try {
    memory().setItem(nameOf(most, key), String(chosen))
  } catch {
    // A full or forbidden memory: measured again next time.
  }
  return chosen
}

function nameOf(most: number, key: string): string {
  return `maskloop.decoder.threads.of.${most}.${key}`
}

function recall(most: number, key: string, memory: () => Storage): number | null {
  try {
    const threads = Number(memory().getItem(nameOf(most, key)))
    return threads === 1 || threads === most ? threads : null
  } catch {
    return null
  }
}
