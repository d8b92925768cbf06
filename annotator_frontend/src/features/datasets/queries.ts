import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'

export type Dataset = Schemas['DatasetJson']

export function useDatasets() {
  return useQuery({ queryKey: ['datasets'], queryFn: () => answer(api.GET('/api/datasets/')) })
}

export function useDataset(id: string) {
  return useQuery({
    queryKey: ['dataset', id],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/', { params: { path: { dataset_id: id } } })),
  })
}

export function useCreateDataset() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (name: string) => answer(api.POST('/api/datasets/', { body: { name } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['datasets'] }),
  })
}

export function useUpdateDataset(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (fields: Partial<Dataset>) =>
      answer(
        api.PATCH('/api/datasets/{dataset_id}/', {
          params: { path: { dataset_id: id } },
          body: fields as never,
        }),
      ),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['datasets'] })
      return queries.invalidateQueries({ queryKey: ['dataset', id] })
    },
  })
}
