import { createElement } from 'react'
import { expect, test, vi } from 'vitest'
import { createStore } from 'zustand/vanilla'
import type { PainterClient } from '@/features/workspace/canvas/painter/client'
import type { DecoderClient } from '@/features/workspace/decoder/client'
import { Preparation } from '@/features/workspace/panels/Preparation'
import { Model } from '@/features/workspace/panels/StatusLine'
import { type Assignment, PhotoShelf, type ShelvedPhoto } from '@/features/workspace/photoShelf'
import type { Workbench } from '@/features/workspace/workbench'
import { Signal } from '@/shared/api/signal'
import { rendered } from '../shared/rendered'

test('when a lease is taken again the decoder asks under the new one', () => {
  vi.stubGlobal('fetch', () => new Promise(() => {}))
  const moved = vi.fn()
  const decoder = { load: async () => {}, moved } as unknown as DecoderClient
  const shelf = new PhotoShelf(decoder, {} as PainterClient)
  const lease = (id: string) =>
    ({ id, image: { id: 'photo', width: 9, height: 9 }, checkpoint: { decoder_hash: '' } }) as unknown as Assignment
  shelf.hold([lease('lease 1')])
  shelf.hold([lease('lease 2')])
  expect(moved.mock.calls).toEqual([['photo', 'lease 2']])
  vi.unstubAllGlobals()
})

test('small photos are held as far ahead as they are leased, huge ones only the next', () => {
  vi.stubGlobal('fetch', () => new Promise(() => {}))
  const fetched = (side: number) => {
    const shelf = new PhotoShelf(
      { load: async () => {}, forgetPhoto: () => {} } as unknown as DecoderClient,
      { forget: () => {} } as unknown as PainterClient,
    )
    const lease = (id: string) => ({
      id,
      image: { id, width: side, height: side, pixels_url: id },
      checkpoint: { decoder_hash: '', encoder_hash: '' },
    })
    const asked = vi.spyOn(globalThis, 'fetch')
    shelf.hold([lease('a'), lease('b'), lease('c')] as unknown as Assignment[])
    const urls = asked.mock.calls.map(([url]) => (url instanceof Request ? url.url : String(url)))
    shelf.hold([])
    asked.mockRestore()
    return ['a', 'b', 'c'].filter(id => urls.some(url => url.includes(`/api/images/${id}/`)))
  }
  expect(fetched(1000)).toEqual(['a', 'b', 'c'])
  expect(fetched(5000)).toEqual(['a', 'b'])
  vi.unstubAllGlobals()
})

test('a photo and an embedding that broke off on the way are fetched again', async () => {
  vi.useFakeTimers()
  const tries = new Map<string, number>()
  vi.stubGlobal('fetch', async (url: string) => {
    tries.set(url, (tries.get(url) ?? 0) + 1)
    const broken = new ReadableStream({ start: stream => stream.error(new TypeError('network error')) })
    return new Response(tries.get(url) === 1 ? broken : 'bytes')
  })
  const addPhoto = vi.fn()
  const picture = { close: () => {} } as ImageBitmap
  const decoder = { load: async () => {}, addPhoto } as unknown as DecoderClient
  const shelf = new PhotoShelf(decoder, { load: async () => picture } as unknown as PainterClient)
  const lease = {
    id: 'lease',
    image: { id: 'photo', width: 9, height: 9, pixels_url: '/pixels' },
    checkpoint: { decoder_hash: '', encoder_hash: '' },
  } as unknown as Assignment
  shelf.hold([lease])
  await vi.advanceTimersByTimeAsync(0)
  expect(shelf.get('photo')).toMatchObject({ picture: null,
    isReady: false,
    pictureProblem: expect.any(String),
    modelProblem: expect.any(String),
    isModelOut: false,
  })
  await vi.advanceTimersByTimeAsync(5000)
  expect(shelf.get('photo')).toMatchObject({ picture, isReady: true, pictureProblem: null, modelProblem: null })
  expect([...tries.values()]).toEqual([2, 2])
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('of two photos of hundreds of megapixels the one at hand is decoded, and the next lies ready to be', async () => {
  vi.stubGlobal('fetch', async () => new Response('bytes'))
  const decoded = new Set<string>()
  const painter = {
    load: async (id: string) => {
      decoded.add(id)
      return { close: () => {} }
    },
    forget: (id: string) => decoded.delete(id),
  } as unknown as PainterClient
  const decoder = { load: async () => {}, addPhoto: () => {}, moved: () => {}, forgetPhoto: () => {} } as unknown as DecoderClient
  const shelf = new PhotoShelf(decoder, painter)
  const lease = (id: string, megapixels: number) =>
    ({
      id,
      image: { id, width: 1000 * megapixels, height: 1000, pixels_url: id },
      checkpoint: { decoder_hash: '', encoder_hash: '' },
    }) as unknown as Assignment
  const ready = (...ids: string[]) => vi.waitFor(() => expect(ids.every(id => shelf.get(id).isReady)).toBe(true))
  const settled = () => new Promise(resolve => setTimeout(resolve, 20))
  const [a, b] = [lease('a', 200), lease('b', 200)]
  shelf.hold([a, b])
  await ready('a', 'b')
  await settled()
  expect([...decoded]).toEqual(['a'])
  expect(shelf.get('b')).toMatchObject({ picture: null, pictureProblem: null, modelProblem: null })
  const asked = vi.spyOn(globalThis, 'fetch')
  shelf.hold([b])
  await vi.waitFor(() => expect(shelf.get('b').picture).not.toBeNull())
  expect([...decoded]).toEqual(['b'])
  // Somebody goes back: the one before is at hand again, and the other one makes room.
  shelf.hold([a, b])
  await vi.waitFor(() => expect(shelf.get('a').picture).not.toBeNull())
  expect([[...decoded], shelf.get('b').picture]).toEqual([['a'], null])
  expect(asked.mock.calls.map(([url]) => url).filter(url => url === 'b')).toEqual([])
  // Photos as cameras make them are decoded ahead.
  shelf.hold([lease('c', 60), lease('d', 60)])
  await vi.waitFor(() => expect([...decoded]).toEqual(['c', 'd']))
  asked.mockRestore()
  vi.unstubAllGlobals()
})

test('why a photo cannot be embedded is said still once the photo itself has come', async () => {
  const refusal = { code: 'embedding_failed', message: 'This photo cannot be embedded.', extra: {} }
  let send = (_: Response) => {}
  const file = new Promise<Response>(resolve => {
    send = resolve
  })
  vi.stubGlobal('fetch', (url: string) => (url === '/pixels' ? file : Promise.resolve(Response.json(refusal, { status: 409 }))))
  const picture = { close: () => {} } as ImageBitmap
  const addPhoto = vi.fn()
  const decoder = { load: async () => {}, addPhoto } as unknown as DecoderClient
  const shelf = new PhotoShelf(decoder, { load: async () => picture } as unknown as PainterClient)
  const lease = {
    id: 'lease',
    image: { id: 'photo', width: 9, height: 9, pixels_url: '/pixels' },
    checkpoint: { decoder_hash: '', encoder_hash: '' },
  } as unknown as Assignment
  shelf.hold([lease])
  await vi.waitFor(() => expect(shelf.get('photo').modelProblem).toBe(refusal.message))
  send(new Response('bytes'))
  await vi.waitFor(() => expect(shelf.get('photo').picture).toBe(picture))
  expect(shelf.get('photo')).toMatchObject({ modelProblem: refusal.message, isModelOut: true })
  const shown = () => {
    const photo = shelf.get('photo')
    const bench = {
      editor: { store: createStore(() => ({ isWaiting: false, isPromised: false })) },
      answerMs: new Signal(null),
      decoder: { hindrance: new Signal<string | null>(null), step: new Signal({ where: 'browser', threads: 1 }) },
    } as unknown as Workbench
    return [
      rendered(createElement(Preparation, { photo, onTryAgain: () => {} })),
      rendered(createElement(Model, { bench, photo })),
    ]
  }
  expect(shown()[0]).toContain(refusal.message)
  expect(shown()[0]).toContain('Try again')
  expect(shown()[1]).toContain('Model: no answer on this photo')

  vi.stubGlobal('fetch', async () => new Response('bytes'))
  shelf.tryAgain(lease)
  expect(shelf.get('photo')).toMatchObject({ modelProblem: null, isModelOut: false })
  expect(shown()[1]).toContain('Model: getting ready')
  await vi.waitFor(() => expect(shelf.get('photo').isReady).toBe(true))
  expect(addPhoto).toHaveBeenCalledTimes(1)
  expect(shelf.get('photo').picture).toBe(picture)
  vi.unstubAllGlobals()
})

test('while the model is at a photo the page says how long that should take', () => {
  const coming = { picture: null, isReady: false, expectedSeconds: 7.4, pictureProblem: null, modelProblem: null, isModelOut: false }
  const said = (photo: ShelvedPhoto) => rendered(createElement(Preparation, { photo, onTryAgain: () => {} })).replace(/<[^>]*>/g, '')
  expect(said(coming)).toContain('The photo is coming, about 7 s')
  const seen = { ...coming, picture: {} as ImageBitmap }
  expect(said(seen)).toContain('The model is looking at the photo, about 7 s')
  expect(said({ ...seen, expectedSeconds: 0.2 })).toContain('about 1 s')
  expect(said({ ...seen, expectedSeconds: null })).not.toContain('about')
  expect(said({ ...seen, isReady: true })).not.toContain('model')
})
