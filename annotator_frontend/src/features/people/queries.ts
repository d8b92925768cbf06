import { type QueryClient, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'

export type Member = Schemas['MembershipJson']
export type Role = Schemas['MemberRole']
export type Job = Schemas['Job']

export function useMembers(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'members'],
    queryFn: () =>
      answer(api.GET('/api/datasets/{dataset_id}/members/', { params: { path: { dataset_id: dataset } } })),
  })
}

export function useSetMember(dataset: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: { username: string; role: Role }) =>
      answer(
        api.POST('/api/datasets/{dataset_id}/members/', {
          params: { path: { dataset_id: dataset } },
          body,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
  })
}

interface JobsOfOne {
  user: string
  /** In which queues somebody works; null: in all. */
  jobs: Job[] | null
}

/** What is chosen is there at once, so that the next choice goes on from it; and one is asked after the other. */
export function settingJobs(
  queries: QueryClient,
  dataset: string,
  ask: (input: JobsOfOne) => Promise<unknown>,
) {
  const members = ['dataset', dataset, 'members']
  const mutationKey = [...members, 'jobs']
  return {
    mutationKey,
    scope: { id: mutationKey.join(' ') },
    mutationFn: ask,
    onMutate: async ({ user, jobs }: JobsOfOne) => {
      queries.setQueryData<Member[]>(members, all =>
        all?.map(member => (member.user === user ? { ...member, jobs } : member)),
      )
      // An answer from before would take it back.
      await queries.cancelQueries({ queryKey: members })
    },
    // Whatever came of it; but not while another choice waits, which the server does not know yet.
    onSettled: () =>
      queries.isMutating({ mutationKey }) === 1
        ? queries.invalidateQueries({ queryKey: ['dataset', dataset] })
        : undefined,
  }
}

export function useSetJobs(dataset: string) {
  const queries = useQueryClient()
  const ask = ({ user, jobs }: JobsOfOne) =>
    answer(
      api.PATCH('/api/datasets/{dataset_id}/members/{user_id}/', {
        params: { path: { dataset_id: dataset, user_id: user } },
        body: { jobs },
      }),
    )
  return useMutation(settingJobs(queries, dataset, ask))
}

export function useRemoveMember(dataset: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (user: string) =>
      answer(
        api.DELETE('/api/datasets/{dataset_id}/members/{user_id}/', {
          params: { path: { dataset_id: dataset, user_id: user } },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
  })
}
