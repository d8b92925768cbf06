import {
  type Mutation,
  type QueryClient,
  useMutation,
  useMutationState,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
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

export interface JobsOfOne {
  user: string
  /** In which queues somebody works; null: in all. */
  jobs: Job[] | null
}

/** Choices of a dataset's queues that the server has not answered yet, oldest first. */
export const choicesUnderWay = (dataset: string) => ({
  filters: { mutationKey: ['dataset', dataset, 'members', 'jobs'], status: 'pending' } as const,
  select: (choice: Mutation): JobsOfOne => choice.state.variables as JobsOfOne,
})

/** A member as chosen last: the server may not know it yet, and what it tells meanwhile does not take it back. */
export function asChosen(member: Member, underWay: readonly JobsOfOne[]): Member {
  const newest = underWay.findLast(({ user }) => user === member.user)
  return newest ? { ...member, jobs: newest.jobs } : member
}

export function useAsChosen(dataset: string, member: Member): Member {
  return asChosen(member, useMutationState(choicesUnderWay(dataset)))
}

/** One is asked after the other. */
export function settingJobs(
  queries: QueryClient,
  dataset: string,
  ask: (input: JobsOfOne) => Promise<unknown>,
) {
  const { mutationKey } = choicesUnderWay(dataset).filters
  return {
    mutationKey,
    scope: { id: mutationKey.join(' ') },
    mutationFn: ask,
    // Whatever came of it; not over until what holds has been read. While another choice waits there is no use in asking.
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
    mutationFn: (user: string) => removeMember(dataset, user),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
  })
}

/** @param onLeft go elsewhere, before anything of the dataset is asked for again: it is not to be seen any more. */
export function useLeave(dataset: string, onLeft: () => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (user: string) => removeMember(dataset, user),
    onSuccess: () => {
      onLeft()
      return queries.invalidateQueries({ queryKey: ['datasets'] })
    },
  })
}

function removeMember(dataset: string, user: string) {
  return answer(
    api.DELETE('/api/datasets/{dataset_id}/members/{user_id}/', {
      params: { path: { dataset_id: dataset, user_id: user } },
    }),
  )
}
