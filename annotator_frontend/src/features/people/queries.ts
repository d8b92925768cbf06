import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
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

/** In which queues somebody works; null: in all. */
export function useSetJobs(dataset: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ user, jobs }: { user: string; jobs: Job[] | null }) =>
      answer(
        api.PATCH('/api/datasets/{dataset_id}/members/{user_id}/', {
          params: { path: { dataset_id: dataset, user_id: user } },
          body: { jobs },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
  })
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
