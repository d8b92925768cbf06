import { bytesOf } from '@/shared/api/client'
import type { Box } from '@/shared/geometry/points'
import type { DecoderClient } from './decoder/client'
import type { Assignment } from './photoShelf'

export type CloserState =
  | { name: 'whole' }
  | { name: 'waiting'; expectedSeconds: number | null }
  | { name: 'closer'; region: Box }

const WHOLE: CloserState = { name: 'whole' }

/**
 * Looks at a part of a photo as if it were all of it, so that the model sees small things in it at full resolution. Prompts
 * that lie in that part are answered there; as soon as one lies outside, all of them are answered on the whole photo.
 */
export class Closer {
  private state: CloserState = WHOLE
  private abort: AbortController | null = null
  private photo: string | null = null
  private readonly listeners = new Set<() => void>()

  constructor(private readonly decoder: DecoderClient) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  getState = (): CloserState => this.state

  /**
   * Ask the server for this part. Parts begin and end on a grid, which the server knows: what it answers may be larger.
   *
   * @returns whether there is anything to look closer at: nearly the whole photo is the whole photo.
   * @throws where the server refuses.
   */
  async look({ image, checkpoint }: Assignment, part: Box): Promise<boolean> {
    this.leave()
    const abort = new AbortController()
    const { signal } = abort
    this.abort = abort
    this.change({ name: 'waiting', expectedSeconds: null })
    try {
      const url = `/api/images/${image.id}/embedding/${checkpoint.encoder_hash}/?region=${part.join(',')}`
      const onWait = (expectedSeconds: number | null) =>
        !signal.aborted && this.change({ name: 'waiting', expectedSeconds })
      const response = await bytesOf(url, { signal, onWait })
      const embedding = await response.arrayBuffer()
      if (signal.aborted) return true
      const written = response.headers.get('X-Region')
      if (!written) {
        this.leave()
        return false
      }
      const region = written.split(',').map(Number) as unknown as Box
      const size = { height: region[3] - region[1], width: region[2] - region[0] }
      this.photo = image.id
      this.decoder.lookCloser(region, {
        photo: image.id,
        size,
        inputSide: checkpoint.input_side,
        embeddingShape: checkpoint.embedding_shape,
        embedding,
        decoderHash: checkpoint.decoder_hash,
      })
      this.change({ name: 'closer', region })
      return true
    } catch (error) {
      if (signal.aborted) return true
      this.leave()
      throw error
    }
  }

  /** Back to the whole photo. Returns whether that is anything new. */
  leave(): boolean {
    const wasWhole = this.state.name === 'whole'
    this.abort?.abort()
    this.abort = null
    if (this.photo) this.decoder.lookAtAll(this.photo)
    this.photo = null
    if (!wasWhole) this.change(WHOLE)
    return !wasWhole
  }

  private change(state: CloserState): void {
    this.state = state
    for (const listener of this.listeners) listener()
  }
}
