import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'

export type Dataset = Schemas['DatasetJson']

export function useDatasets() {
  return useQuery({
    queryKey: ['datasets'],
    queryFn: () => answer(api.GET('/api/datasets/')),
    refetchInterval: ({ state }) => freshIn(state.data ?? []),
  })
}

export function useDataset(id: string) {
  return useQuery({
    queryKey: ['dataset', id],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/', { params: { path: { dataset_id: id } } })),
    refetchInterval: ({ state }) => freshIn(state.data ? [state.data] : []),
  })
}

/** Counts of a large dataset may be some time old: milliseconds after which newer ones are to be had, false where all are new. */
function freshIn(datasets: readonly Dataset[]): number | false {
  return 1000 * Math.max(0, ...datasets.map(({ counts }) => counts.fresh_in_seconds)) || false
}

/** What is shown beside a photo in work: not counted, and so not asked for again with every mask. */
export function useDatasetBrief(id: string) {
  return useQuery({
    queryKey: ['dataset', id, 'brief'],
    queryFn: () =>
      answer(api.GET('/api/datasets/{dataset_id}/brief/', { params: { path: { dataset_id: id } } })),
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
