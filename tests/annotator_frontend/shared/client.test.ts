import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiError, answer, api, bytesOf, isPassing, loggedIn, Unreachable } from '@/shared/api/client'
import { loginExpired } from '@/shared/api/signal'

/** What the network brings of an answer before it breaks. */
function cut(part: string, status = 200): Response {
  const body = new ReadableStream({
    start: stream => {
      stream.enqueue(new TextEncoder().encode(part))
      stream.error(new TypeError('network error'))
    },
  })
  return new Response(body, { status })
}

const brings = (response: () => Response) => vi.stubGlobal('fetch', async () => response())
const asked = () => answer(api.GET('/api/session/', { baseUrl: 'http://here/' }))

beforeEach(() => vi.stubGlobal('document', { cookie: '' }))
afterEach(() => vi.unstubAllGlobals())

test('a body that breaks off is a server that was not reached, however it is read', async () => {
  brings(() => cut('{"user": nu'))
  for (const read of ['arrayBuffer', 'blob', 'json', 'text'] as const) {
    const error = await (await bytesOf('/photo'))[read]().catch((error: unknown) => error)
    expect([read, error]).toEqual([read, expect.any(Unreachable)])
    expect(isPassing(error)).toBe(true)
  }
  await expect(asked()).rejects.toThrow(Unreachable)
})

test('a refusal that breaks off is not taken for one, and one without JSON is', async () => {
  brings(() => cut('{"code": "gone', 404))
  await expect(bytesOf('/photo')).rejects.toThrow(Unreachable)
  await expect(asked()).rejects.toThrow(Unreachable)
  brings(() => new Response('<h1>Too large</h1>', { status: 413 }))
  for (const refused of [bytesOf('/photo'), asked()]) {
    expect(await refused.catch((error: unknown) => error)).toMatchObject({ status: 413, code: 'fault' })
  }
})

test('what is given up while it is being read stays given up', async () => {
  const abort = new AbortController()
  vi.stubGlobal('fetch', async (_: string, { signal }: RequestInit) => {
    const body = new ReadableStream({
      start: stream => signal!.addEventListener('abort', () => stream.error(signal!.reason)),
    })
    return new Response(body)
  })
  const reading = (await bytesOf('/photo', { signal: abort.signal })).blob()
  abort.abort()
  const error = await reading.catch((error: unknown) => error)
  expect(error).toMatchObject({ name: 'AbortError' })
  expect(isPassing(error)).toBe(false)
  vi.stubGlobal('fetch', async (_: string, { signal }: RequestInit) => signal!.throwIfAborted())
  await expect(bytesOf('/photo', { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' })
})

test('an answer that is no JSON was not the server’s, whether its length was told or not', async () => {
  for (const headers of [{}, { 'Content-Length': '18' }] as HeadersInit[]) {
    brings(() => new Response('<p>Log in first</p>', { headers }))
    await expect(asked()).rejects.toThrow(Unreachable)
  }
  brings(() => Response.json({ code: 'refused', message: 'No.' }, { status: 409 }))
  await expect(asked()).rejects.toThrow(ApiError)
})

test.each([
  ['JSON', asked],
  ['bytes', () => bytesOf('/photo')],
])('that the login has run out is not said by an answer to what was asked before somebody logged in: %s', async (_, ask) => {
  const says: ((response: Response) => void)[] = []
  vi.stubGlobal('fetch', () => new Promise<Response>(resolve => says.push(resolve)))
  const stranger = () => Response.json({ code: 'not_logged_in', message: 'Log in first.' }, { status: 401 })
  const [late, first] = [ask(), ask()]
  await vi.waitFor(() => expect(says).toHaveLength(2))
  says[1]!(stranger())
  await expect(first).rejects.toMatchObject({ status: 401 })
  expect(loginExpired.get()).toBe(true)
  loggedIn()
  says[0]!(stranger())
  await expect(late).rejects.toMatchObject({ status: 401 })
  expect(loginExpired.get()).toBe(false)
})
