/** Measured once, then remembered for as long as the browser keeps it: milliseconds of a decoder's run. */
export type Measure = (threads: number) => Promise<number>

const key = (most: number) => `maskloop.decoder.threads.of.${most}`

/** As many threads as the decoder is fastest with: on two cores, two are not always faster than one. */
export async function chooseThreads(most: number, measure: Measure, memory: Storage): Promise<number> {
  if (most === 1) return 1
  const remembered = recall(most, memory)
  if (remembered) return remembered
  // One after the other: beside each other they would measure each other.
  const many = await measure(most)
  const one = await measure(1)
  const chosen = many < one ? most : 1
  try {
    memory.setItem(key(most), String(chosen))
  } catch {
    // A full or forbidden memory: measured again next time.
  }
  return chosen
}

function recall(most: number, memory: Storage): number | null {
  try {
    const threads = Number(memory.getItem(key(most)))
    return threads === 1 || threads === most ? threads : null
  } catch {
    return null
  }
}
