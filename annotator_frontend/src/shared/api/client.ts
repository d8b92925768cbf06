import createClient, { type Middleware } from 'openapi-fetch'
import { t } from '@/shared/i18n'
import type { components, paths } from './schema'
import { isOutdated, loginExpired } from './signal'
import { thisTab } from './tab'

export type Schemas = components['schemas']

/** A refusal: `code` is for us to act on, `message` may be shown as it is. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly extra: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

/** The server was not reached, or its answer did not come whole: try again later. */
export class Unreachable extends Error {
  constructor() {
    super(t('The server cannot be reached.'))
  }
}

/** Whether trying again later may help: the network, the login, a server that is busy or restarts. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Unreachable) return true
  return error instanceof ApiError && (error.status >= 500 || [401, 429].includes(error.status))
}

const TRY_AGAIN_MS = 2000

/**
 * Loads something, again and again for as long as that may help and it is wanted.
 *
 * @param failed is told of each failure, and whether it was the last.
 */
export async function persist(
  load: () => Promise<void>,
  signal: AbortSignal,
  failed: (problem: string, isFinal: boolean) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await load()
    } catch (error) {
      if (signal.aborted) return
      failed(error instanceof Error ? error.message : String(error), !isPassing(error))
      if (!isPassing(error)) return
      await pause(TRY_AGAIN_MS, signal)
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end)
  })
}

/** The header that says which window of a person's asks. */
export const TAB = 'X-Maskloop-Tab'

const csrf: Middleware = {
  onRequest({ request }) {
    if (request.method === 'GET') return request
    request.headers.set('X-CSRFToken', csrfToken())
    if (!request.headers.has(TAB)) request.headers.set(TAB, thisTab())
    return request
  },
}

/** For requests that do not go through `api`. */
export function csrfToken(): string {
  return cookie('csrftoken')
}

const ownBuild = globalThis.document?.querySelector<HTMLMetaElement>('meta[name="maskloop-build"]')?.content

export const api = createClient<paths>({ baseUrl: '/', fetch: request => reach(() => fetch(request)) })
api.use(csrf)

function cookie(name: string): string {
  const found = document.cookie.split('; ').find(pair => pair.startsWith(`${name}=`))
  return found ? decodeURIComponent(found.slice(name.length + 1)) : ''
}

async function reach(ask: () => Promise<Response>): Promise<Response> {
  const response = await ask().catch(lost)
  const build = response.headers.get('X-Maskloop-Build')
  if (build && ownBuild) isOutdated.set(build !== ownBuild)
  return watched(response)
}

const READERS = ['arrayBuffer', 'blob', 'json', 'text'] as const

/** The network can be gone in the middle of a body, too. And what should be JSON and is none, something on the way has said. */
function watched(response: Response): Response {
  for (const name of READERS) {
    const read = response[name].bind(response) as () => Promise<unknown>
    Object.defineProperty(response, name, { value: () => read().catch(lost) })
  }
  return response
}

function lost(error: unknown): never {
  const isWanted = error instanceof DOMException && error.name === 'AbortError'
  throw isWanted ? error : new Unreachable()
}

let logins = 0

/** Somebody has logged in on this page: that the login has run out is no more said, nor by answers to what was asked before. */
export function loggedIn(): void {
  logins += 1
  loginExpired.set(false)
}

/** The data of an answer, or the refusal thrown. */
export async function answer<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const asOf = logins
  // openapi-fetch reads some answers as text, and parses them itself.
  const { data, error, response } = await asked.catch((error: unknown) => {
    throw error instanceof SyntaxError ? new Unreachable() : error
  })
  if (!response.ok) throw refusal(response.status, error, asOf)
  return data as T
}

/** @param asOf how often somebody had logged in when this was asked. */
function refusal(status: number, body: unknown, asOf: number): ApiError {
  const said = (typeof body === 'object' && body !== null ? body : {}) as Partial<ApiError>
  const message =
    fieldsOf(said.extra) ?? said.message ?? t('The server answered {{status}}.', { status: String(status) })
  if (said.code === 'not_logged_in' && asOf === logins) loginExpired.set(true)
  return new ApiError(status, said.code ?? 'fault', message, said.extra ?? {})
}

function fieldsOf(extra: unknown): string | undefined {
  const fields = (extra as { fields?: Record<string, string[]> } | undefined)?.fields
  const lines = fields && Object.entries(fields).map(([name, said]) => `${name}: ${[said].flat().join(' ')}`)
  return lines?.length ? lines.join(' ') : undefined
}

/** Bytes that may still be in the making (202): asks again until they are there. */
export async function bytesOf(
  url: string,
  {
    signal,
    onWait,
    ...asked
  }: RequestInit & { signal?: AbortSignal; onWait?: (expectedSeconds: number | null) => void } = {},
): Promise<Response> {
  for (;;) {
    const asOf = logins
    const response = await reach(() => fetch(url, { ...asked, signal }))
    if (signal?.aborted) throw new DOMException('aborted', 'AbortError')
    if (response.status === 202) {
      const body = (await response.json().catch(() => ({}))) as { extra?: { expected_seconds?: number } }
      onWait?.(body.extra?.expected_seconds ?? null)
      await new Promise(resolve => setTimeout(resolve, 250))
      continue
    }
    if (!response.ok) throw refusal(response.status, parsed(await response.text()), asOf)
    return response
  }
}

/** A refusal that a proxy made may be a page of HTML. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
