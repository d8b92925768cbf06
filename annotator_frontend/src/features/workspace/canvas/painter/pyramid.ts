/** A photo in halves, quarters, …: drawing one then reads about as many pixels as the window has, however large the photo is. */
export class Pyramid {
  private constructor(readonly levels: readonly ImageBitmap[]) {}

  static async of(blob: Blob): Promise<Pyramid> {
    const levels = [await createImageBitmap(blob)]
    try {
      for (
        let last = levels[0]!;
        Math.max(last.width, last.height) > SMALLEST_SIDE_PX;
        last = levels.at(-1)!
      ) {
        // At exactly half the size, bilinear reading is the mean of four pixels.
        levels.push(
          await createImageBitmap(last, {
            resizeWidth: Math.max(1, last.width >> 1),
            resizeHeight: Math.max(1, last.height >> 1),
            resizeQuality: 'low',
          }),
        )
      }
    } catch (error) {
      for (const level of levels) level.close()
      throw error
    }
    return new Pyramid(levels)
  }

  get width(): number {
    return this.levels[0]!.width
  }

  get height(): number {
    return this.levels[0]!.height
  }

  /** The smallest one that has at least a pixel for each of the window's. */
  for(scale: number): ImageBitmap {
    const level = Math.floor(Math.log2(1 / scale))
    return this.levels[Math.min(Math.max(level, 0), this.levels.length - 1)]!
  }

  close(): void {
    for (const level of this.levels) level.close()
  }
}

const SMALLEST_SIDE_PX = 512
