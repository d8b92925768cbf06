import { expect, test, vi } from 'vitest'
import { ANSWERS, verdictOfKey } from '@/features/review/keys'
import { around } from '@/features/review/OutlineView'
import { type Journal, type Verdict, VerdictOutbox } from '@/features/review/verdictOutbox'
import { type Question, Verifying } from '@/features/review/verifying'
import { ApiError, api, Unreachable } from '@/shared/api/client'
import { mine } from '@/shared/api/mine'

const question = (id: string) => ({ id }) as Question
const key = (name: string, more = {}) => ({ key: name, ctrlKey: false, metaKey: false, altKey: false, ...more })

function verifying(batches: string[][]) {
  const told: Verdict[] = []
  const asked: string[][] = []
  let [made, now] = [0, 0]
  const page = new Verifying({
    ask: async besides => {
      asked.push(besides)
      const ids = batches.shift() ?? []
      return { questions: ids.map(question), reason: ids.length ? null : 'nothing_left' }
    },
    tell: verdict => told.push(verdict),
    failed: error => {
      throw error
    },
    newId: () => `verdict ${made++}`,
    now: () => now,
  })
  /** As a person does, who looks first. */
  const say = (answer: Verdict['answer']) => {
    const [first] = page.state.ahead
    if (first) page.look(first.id)
    return page.answer(answer)
  }
  return { page, told, asked, say, wait: (ms: number) => (now += ms) }
}

test('one key each, by letter or by number', () => {
  expect(ANSWERS.map(({ keys }) => keys.map(one => verdictOfKey(key(one))))).toEqual(
    ANSWERS.map(({ answer }) => [answer, answer]),
  )
  expect(verdictOfKey(key('A'))).toBe('accept')
  expect(verdictOfKey(key('z', { ctrlKey: true }))).toBe('back')
  // The browser keeps its own: Ctrl+F searches, Ctrl+N opens a window.
  expect(verdictOfKey(key('f', { ctrlKey: true }))).toBeNull()
  expect(verdictOfKey(key('x'))).toBeNull()
})

test('the next one takes the place of the one that was answered, before the server says anything', async () => {
  const { page, told, say, wait } = verifying([['a', 'b', 'c']])
  await page.fill()
  wait(1500)
  expect(say('accept')).toBe(true)
  expect(page.state.ahead.map(({ id }) => id)).toEqual(['b', 'c'])
  expect(told).toEqual([{ id: 'verdict 0', question: 'a', answer: 'accept', seconds: 1.5 }])
})

test('what was answered is not shown again, though the server may not know of the answer yet', async () => {
  const { page, asked, say } = verifying([['a', 'b'], ['a', 'b', 'c'], []])
  await page.fill()
  say('fix')
  await Promise.resolve()
  await Promise.resolve()
  expect(asked[1]).toEqual(['b', 'a'])
  expect(page.state.ahead.map(({ id }) => id)).toEqual(['b', 'c'])
})

test('going back shows the last one again, and a new answer goes under a new name', async () => {
  const { page, told, say } = verifying([['a', 'b']])
  await page.fill()
  say('not_an_object')
  expect(page.back()).toBe(true)
  expect(page.state.ahead[0]!.id).toBe('a')
  expect(page.state.answered).toBe(0)
  say('accept')
  expect(told.map(({ id, question, answer }) => [id, question, answer])).toEqual([
    ['verdict 0', 'a', 'not_an_object'],
    ['verdict 1', 'a', 'accept'],
  ])
  page.back()
  expect(page.back()).toBe(false)
})

test('with nothing left, the reason is said and no key answers', async () => {
  const { page, told, say } = verifying([])
  await page.fill()
  expect(page.state.reason).toBe('nothing_left')
  expect(say('accept')).toBe(false)
  expect(told).toEqual([])
})

test('who went away is not counted as having looked', async () => {
  const { page, told, say, wait } = verifying([['a']])
  await page.fill()
  wait(3_600_000)
  say('accept')
  expect(told[0]!.seconds).toBe(60)
})

function inMemory(): Journal & { lines: Map<string, Verdict> } {
  const lines = new Map<string, Verdict>()
  return {
    lines,
    read: async () => [...lines].sort(),
    write: async (name, verdict) => void lines.set(name, verdict),
    remove: async name => void lines.delete(name),
  }
}

const verdict = (id: string): Verdict => ({ id, question: 'q', answer: 'accept', seconds: 1 })

test('an answer that could not be sent lies in the journal, and the next page sends it, in order', async () => {
  const journal = inMemory()
  let isUp = false
  const arrived: string[] = []
  const send = async ({ id }: Verdict) => {
    if (!isUp) throw new Unreachable()
    arrived.push(id)
  }
  const before = new VerdictOutbox(send, journal)
  await before.add(verdict('one'))
  await before.add(verdict('two'))
  expect(before.unsent).toBe(2)
  isUp = true
  const after = new VerdictOutbox(send, journal)
  await after.resume()
  expect(arrived).toEqual(['one', 'two'])
  expect(after.unsent).toBe(0)
  expect(journal.lines.size).toBe(0)
})

test('an answer that the server refuses for good is said and keeps no other waiting', async () => {
  const arrived: string[] = []
  const outbox = new VerdictOutbox(async ({ id }) => {
    if (id === 'one') throw new ApiError(409, 'verdict_id_taken', 'Another verdict was stored.')
    arrived.push(id)
  }, inMemory())
  await outbox.add(verdict('one'))
  expect(outbox.refusal).toBe('Another verdict was stored.')
  await outbox.add(verdict('two'))
  expect(arrived).toEqual(['two'])
  expect(outbox.refusal).toBeNull()
})

test('an answer waits for its person while somebody else is logged in, and is not thrown away', async () => {
  const strangers = { ok: false, status: 404 } as Response
  const session = { data: { user: { id: 'you' } }, response: { ok: true } as Response }
  vi.spyOn(api, 'GET').mockResolvedValue(session as never)
  const journal = inMemory()
  const outbox = new VerdictOutbox(() => mine('me', Promise.resolve({ response: strangers })), journal)
  await outbox.add(verdict('one'))
  expect([outbox.unsent, journal.lines.size, outbox.refusal]).toEqual([1, 1, null])
  vi.restoreAllMocks()
})

test('an outline that nobody has seen yet is not answered', async () => {
  const { page, told } = verifying([['a', 'b']])
  await page.fill()
  expect(page.answer('accept')).toBe(false)
  page.look('a')
  expect(page.answer('accept')).toBe(true)
  expect(page.answer('accept')).toBe(false) // the next one has only just come
  page.look('b')
  page.back()
  expect(page.answer('fix')).toBe(false)
  expect(told.map(({ question }) => question)).toEqual(['a'])
})

test('of a photo that cannot be shown people can say that they are unsure, and nothing else', async () => {
  const { page, told } = verifying([['a', 'b']])
  await page.fill()
  page.cannotLook('b') // not on show
  expect(page.answer('unsure')).toBe(false)
  page.cannotLook('a')
  for (const answer of ['accept', 'fix', 'not_an_object'] as const) expect(page.answer(answer)).toBe(false)
  expect(page.answer('unsure')).toBe(true)
  expect(page.answer('unsure')).toBe(false) // of the next one nobody knows yet
  expect(told).toMatchObject([{ question: 'a', answer: 'unsure' }])
})

test('the near view has room around the mask and stays inside the photo', () => {
  const size = { width: 200, height: 100 }
  expect(around([50, 40, 100, 60], size)).toEqual([30, 20, 120, 80])
  expect(around([0, 0, 4, 4], size)).toEqual([0, 0, 16, 16])
})
