import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'
import { tellError } from '@/shared/ui/notify'

export type Review = Schemas['ReviewJson']

export function useReview(dataset: string) {
  const params = { path: { dataset_id: dataset } }
  return useQuery({
    queryKey: ['dataset', dataset, 'review'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/review/', { params })),
  })
}

export function useSkips(dataset: string) {
  const params = { path: { dataset_id: dataset } }
  return useQuery({
    queryKey: ['dataset', dataset, 'skips'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/skips/', { params })),
  })
}

export function useVerifiers(dataset: string) {
  const params = { path: { dataset_id: dataset } }
  return useQuery({
    queryKey: ['dataset', dataset, 'review', 'people'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/review/people/', { params })),
  })
}

export function useRules(dataset: string, isWanted: boolean) {
  const params = { path: { dataset_id: dataset } }
  return useQuery({
    queryKey: ['dataset', dataset, 'review', 'rules'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/review/rules/', { params })),
    enabled: isWanted,
  })
}

export function useSetRules(dataset: string) {
  const queries = useQueryClient()
  const params = { path: { dataset_id: dataset } }
  return useMutation({
    mutationFn: (body: Partial<Schemas['ReviewRulesJson']>) =>
      answer(api.PATCH('/api/datasets/{dataset_id}/review/rules/', { params, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset, 'review'] }),
    onError: tellError,
  })
}

export function useRetryProposals(dataset: string) {
  const queries = useQueryClient()
  const params = { path: { dataset_id: dataset } }
  return useMutation({
    mutationFn: () => answer(api.POST('/api/datasets/{dataset_id}/proposals/retry/', { params })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset, 'review'] }),
    onError: tellError,
  })
}

export function useSetStage(dataset: string) {
  const queries = useQueryClient()
  const params = { path: { dataset_id: dataset } }
  return useMutation({
    mutationFn: (stage: Review['stage']) =>
      answer(api.POST('/api/datasets/{dataset_id}/stage/', { params, body: { stage } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
    onError: tellError,
  })
}
