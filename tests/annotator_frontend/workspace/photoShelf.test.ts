import { expect, test, vi } from 'vitest'
import type { PainterClient } from '@/features/workspace/canvas/painter/client'
import type { DecoderClient } from '@/features/workspace/decoder/client'
import { type Assignment, PhotoShelf } from '@/features/workspace/photoShelf'

test('when a lease is taken again the decoder asks under the new one', () => {
  vi.stubGlobal('fetch', () => new Promise(() => {}))
  const moved = vi.fn()
  const decoder = { load: async () => {}, moved } as unknown as DecoderClient
  const shelf = new PhotoShelf(decoder, {} as PainterClient)
  const lease = (id: string) =>
    ({ id, image: { id: 'photo' }, checkpoint: { decoder_hash: '' } }) as unknown as Assignment
  shelf.hold([lease('lease 1')])
  shelf.hold([lease('lease 2')])
  expect(moved.mock.calls).toEqual([['photo', 'lease 2']])
  vi.unstubAllGlobals()
})
