import { floatsOf } from './float16'

const MOST_SPARE = 2

/**
 * Where embeddings lie as float32. Each takes megabytes outside the JavaScript heap, where nobody hurries to collect what is garbage:
 * the room of one that is forgotten is the next one's, and what came as float16 is let go of at once.
 */
export class Rooms {
  private spare: Float32Array<ArrayBuffer>[] = []

  /** @param half is empty afterwards. */
  filledWith(half: ArrayBuffer): Float32Array<ArrayBuffer> {
    const length = half.byteLength / 2
    const room = this.spare.find(own => own.length === length)
    this.spare = this.spare.filter(own => own !== room)
    const floats = floatsOf(half, room)
    release(half)
    return floats
  }

  /** Nobody reads it any more. */
  giveBack(room: Float32Array<ArrayBuffer>): void {
    this.spare = [...this.spare, room].slice(-MOST_SPARE)
  }
}

function release(buffer: ArrayBuffer): void {
  // Browsers before 2024 have no such thing, and collect it some time.
  const own = buffer as ArrayBuffer & { transfer?: (length: number) => ArrayBuffer }
  own.transfer?.(0)
}
