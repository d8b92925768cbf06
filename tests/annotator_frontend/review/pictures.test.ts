import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Pictures } from '@/features/review/pictures'
import type { Question } from '@/features/review/verifying'

/** Of photos that are decoded: how many pixels each has. */
let decoded: Map<string, number>
let fetched: string[]
/** What the network does with the next requests for a photo instead of bringing it. */
let trouble: Map<string, (() => Response)[]>

const cut = () =>
  new Response(new ReadableStream({ start: stream => stream.error(new TypeError('network error')) }))
const question = (image: string, megapixels = 1) =>
  ({ id: `of ${image}`, image: { id: image, pixels_url: `/${image}` }, size: [1000, 1000 * megapixels] }) as unknown as Question
const settle = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  vi.useFakeTimers()
  decoded = new Map()
  fetched = []
  trouble = new Map()
  vi.stubGlobal('fetch', async (url: string) => {
    fetched.push(url.slice(1))
    return trouble.get(url.slice(1))?.shift()?.() ?? new Response(url.slice(1))
  })
  vi.stubGlobal('createImageBitmap', async (blob: Blob) => {
    const image = await blob.text()
    if (image.startsWith('broken')) throw new Error('The source image could not be decoded.')
    decoded.set(image, (decoded.get(image) ?? 0) + 1)
    return { image, close: () => decoded.set(image, decoded.get(image)! - 1) }
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const kept = () => [...decoded].filter(([, times]) => times > 0).map(([image]) => image)

test('a photo that broke off on the way is fetched again, and until then it is said why it is not there', async () => {
  trouble.set('a', [cut])
  const pictures = new Pictures()
  pictures.hold([question('a')])
  await settle()
  expect(pictures.get('a')).toEqual({ picture: null, problem: 'The server cannot be reached.', isLost: false })
  await vi.advanceTimersByTimeAsync(5000)
  expect(pictures.get('a')).toMatchObject({ picture: { image: 'a' }, problem: null })
})

test('a photo that the browser cannot decode, or the server refuses, is lost, and that is said once', async () => {
  trouble.set('refused', [() => Response.json({ code: 'gone', message: 'It is gone.' }, { status: 404 })])
  const pictures = new Pictures()
  const ahead = [question('broken'), question('refused'), question('a')]
  pictures.hold(ahead)
  await settle()
  expect(pictures.get('broken')).toMatchObject({ problem: 'The source image could not be decoded.', isLost: true })
  expect(pictures.get('refused')).toMatchObject({ problem: 'It is gone.', isLost: true })
  pictures.hold(ahead.slice(0, 2))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(fetched).toEqual(['broken', 'refused', 'a'])
})

test('photos are fetched ahead however large they are, and only so many of their pixels are kept', async () => {
  const pictures = new Pictures()
  const ahead = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(image => question(image, 15))
  pictures.hold(ahead)
  await settle()
  expect(fetched).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  expect(kept()).toEqual(['a', 'b'])
  pictures.hold(ahead.slice(1))
  await settle()
  expect(kept()).toEqual(['b', 'c'])
  // The one before is on show again, and others have to go for it.
  pictures.hold(ahead)
  await settle()
  expect(kept()).toEqual(['a', 'b'])
  expect(pictures.get('c').picture).toBeNull()
  pictures.hold([])
  expect(kept()).toEqual([])
})

test('the photo that is looked at is shown however large it is', async () => {
  const pictures = new Pictures()
  pictures.hold([question('a', 200), question('b', 200)])
  await settle()
  expect(kept()).toEqual(['a'])
  pictures.hold([question('b', 200)])
  await settle()
  expect(pictures.get('b')).toMatchObject({ picture: { image: 'b' } })
  expect(kept()).toEqual(['b'])
})

test('of two questions about one photo the photo is fetched once', async () => {
  const pictures = new Pictures()
  pictures.hold([question('a'), question('a'), question('b')])
  await settle()
  expect(fetched).toEqual(['a', 'b'])
})
