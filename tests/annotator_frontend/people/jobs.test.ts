import { MutationObserver, QueryClient } from '@tanstack/react-query'
import { expect, test } from 'vitest'
import { type Job, type Member, settingJobs } from '@/features/people/queries'

const members = ['dataset', 'd', 'members']

/** A server that answers when it is told to. */
function begin() {
  const queries = new QueryClient()
  queries.setQueryData(members, [
    { user: 'ada', jobs: null },
    { user: 'bob', jobs: ['verify'] },
  ])
  const asked: (Job[] | null)[] = []
  const answers: ((error?: Error) => void)[] = []
  const ask = ({ jobs }: { jobs: Job[] | null }) => {
    asked.push(jobs)
    return new Promise<void>((resolve, reject) => answers.push(error => (error ? reject(error) : resolve())))
  }
  const choice = new MutationObserver(queries, settingJobs(queries, 'd', ask))
  const set = (jobs: Job[] | null) => void choice.mutate({ user: 'ada', jobs }).catch(() => {})
  const jobs = () => queries.getQueryData<Member[]>(members)!.map(member => member.jobs)
  const isOld = () => queries.getQueryState(members)!.isInvalidated
  return { asked, answers, set, jobs, isOld }
}

test('of two quick choices the second goes on from the first, and the server hears them in their order', async () => {
  const { asked, answers, set, jobs, isOld } = begin()
  set(['verify', 'correct', 'audit'])
  await expect.poll(jobs).toEqual([['verify', 'correct', 'audit'], ['verify']])
  set(['verify', 'correct'])
  await expect.poll(jobs).toEqual([['verify', 'correct'], ['verify']])
  expect(asked).toEqual([['verify', 'correct', 'audit']])
  answers[0]!()
  await expect.poll(() => asked).toHaveLength(2)
  expect(asked[1]).toEqual(['verify', 'correct'])
  expect([jobs()[0], isOld()]).toEqual([['verify', 'correct'], false]) // not taken back by what the server knows so far
  answers[1]!()
  await expect.poll(isOld).toBe(true)
})

test('after a refusal the server is asked what holds', async () => {
  const { answers, set, isOld } = begin()
  set([])
  await expect.poll(() => answers.length).toBe(1)
  expect(isOld()).toBe(false)
  answers[0]!(new Error('no'))
  await expect.poll(isOld).toBe(true)
})
