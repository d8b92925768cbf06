import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'

export type Figures = Schemas['FiguresJson']
export type Point = Schemas['PointJson']
export type Quality = Schemas['QualityJson']
export type Mark = Schemas['MarkJson']
export type By = Figures['by']

const REFRESH_MS = 5000

/** Where the person's days begin. */
const timeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone

export function useFigures(dataset: string, by: By) {
  return useQuery({
    queryKey: ['dataset', dataset, 'figures', by],
    queryFn: () =>
      answer(
        api.GET('/api/datasets/{dataset_id}/figures/', {
          params: { path: { dataset_id: dataset }, query: { by, time_zone: timeZone() } },
        }),
      ),
    // What has changed is asked for again, but not with every mask: of a million masks it takes a second.
    refetchInterval: query => (query.state.isInvalidated ? REFRESH_MS : false),
    placeholderData: keepPreviousData,
  })
}

/** Where the figures are to be had as a file. */
export function fileOf(dataset: string, by: By, table?: string): string {
  const query = new URLSearchParams({ by, time_zone: timeZone() })
  return `/api/datasets/${dataset}/figures/${table ? `${table}.csv` : ''}?${query}`
}
