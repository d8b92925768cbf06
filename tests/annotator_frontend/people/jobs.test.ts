import { MutationObserver, QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, expect, test } from 'vitest'
import { Refresher } from '@/app/useLiveChanges'
import { asChosen, choicesUnderWay, type Job, type Member, settingJobs } from '@/features/people/queries'

const members = ['dataset', 'd', 'members']

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A server that answers choices when it is told to, and says at once what it knows; the page listens to its changes. */
async function begin() {
  const queries = new QueryClient()
  const stored = [
    { user: 'ada', jobs: null },
    { user: 'bob', jobs: ['verify'] },
  ] as unknown as Member[]
  let reads = 0
  const shown = new QueryObserver<Member[]>(queries, {
    queryKey: members,
    queryFn: async () => {
      reads++
      return structuredClone(stored)
    },
  })
  stops.push(shown.subscribe(() => {}))
  const refresher = new Refresher(queries)
  stops.push(() => refresher.stop())
  const asked: (Job[] | null)[] = []
  const answers: ((error?: Error) => void)[] = []
  const ask = ({ jobs }: { jobs: Job[] | null }) => {
    asked.push(jobs)
    return new Promise<void>((resolve, reject) =>
      answers.push(error => {
        if (error) return reject(error)
        stored[0] = { ...stored[0]!, jobs }
        resolve()
      }),
    )
  }
  const choice = new MutationObserver(queries, settingJobs(queries, 'd', ask))
  const set = (jobs: Job[] | null) => void choice.mutate({ user: 'ada', jobs }).catch(() => {})
  const jobs = () => {
    const { filters, select } = choicesUnderWay('d')
    const underWay = queries.getMutationCache().findAll(filters).map(select)
    return queries.getQueryData<Member[]>(members)!.map(member => asChosen(member, underWay).jobs)
  }
  /** Somebody else's change: the page reads the members again. */
  const changeElsewhere = async () => {
    const before = reads
    refresher.note({ kind: 'member.changed', dataset: 'd' } as Parameters<Refresher['note']>[0])
    await expect.poll(() => reads, { timeout: 5000 }).toBe(before + 1)
    await expect.poll(() => queries.isFetching()).toBe(0)
  }
  await expect.poll(() => queries.getQueryData(members)).toBeDefined()
  return { asked, answers, set, jobs, changeElsewhere, reads: () => reads }
}

test('of two quick choices the second goes on from the first, and the server hears them in their order', async () => {
  const { asked, answers, set, jobs, reads } = await begin()
  set(['verify', 'correct', 'audit'])
  expect(jobs()).toEqual([['verify', 'correct', 'audit'], ['verify']])
  set(['verify', 'correct'])
  expect(jobs()).toEqual([['verify', 'correct'], ['verify']])
  await expect.poll(() => asked).toEqual([['verify', 'correct', 'audit']])
  answers[0]!()
  await expect.poll(() => asked).toHaveLength(2)
  expect(asked[1]).toEqual(['verify', 'correct'])
  expect(reads()).toBe(1) // what the server knows so far is no use
  expect(jobs()[0]).toEqual(['verify', 'correct'])
  answers[1]!()
  await expect.poll(reads).toBe(2)
  expect(jobs()[0]).toEqual(['verify', 'correct'])
})

test('what the server tells while choices are under way takes none of them back', async () => {
  const { asked, answers, set, jobs, changeElsewhere } = await begin()
  set(['verify', 'correct', 'audit'])
  set(['verify', 'correct'])
  await expect.poll(() => answers.length).toBe(1)
  await changeElsewhere() // it knows of neither
  expect(jobs()[0]).toEqual(['verify', 'correct'])
  answers[0]!()
  await expect.poll(() => answers.length).toBe(2)
  await changeElsewhere() // it knows the first
  expect(jobs()[0]).toEqual(['verify', 'correct'])
  set(jobs()[0]!.filter(job => job !== 'correct'))
  answers[1]!()
  await expect.poll(() => asked).toHaveLength(3)
  expect(asked[2]).toEqual(['verify'])
  answers[2]!()
  await changeElsewhere()
  expect(jobs()[0]).toEqual(['verify'])
})

test('after a refusal what holds is what the server says', async () => {
  const { answers, set, jobs, reads } = await begin()
  set([])
  await expect.poll(() => answers.length).toBe(1)
  expect([jobs()[0], reads()]).toEqual([[], 1])
  answers[0]!(new Error('no'))
  await expect.poll(reads).toBe(2)
  await expect.poll(() => jobs()[0]).toBeNull()
})
