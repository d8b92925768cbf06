import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'
import type { Choice } from './choice'

export type Photo = Schemas['ImageJson']

/** Rows of 2, 3, 4, 5, 6 and 10 photos divide it, so a page more or less above moves no photo sideways. */
export const PAGE_SIZE = 60
const PAGES_KEPT = 8

interface PageParam {
  start?: string
  cursor?: string
}

/** Photos from `place` on, in both directions. */
export function usePhotos(dataset: string, choice: Choice, place: string | null) {
  return useInfiniteQuery({
    // Not the place: coming back finds the pages as they were left.
    queryKey: ['dataset', dataset, 'photos', choice],
    initialPageParam: (place ? { start: place } : {}) as PageParam,
    queryFn: ({ pageParam }) =>
      answer(
        api.GET('/api/datasets/{dataset_id}/images/', {
          params: {
            path: { dataset_id: dataset },
            query: { ...(choice as object), page_size: PAGE_SIZE, ...pageParam },
          },
        }),
      ),
    getNextPageParam: page => cursorOf(page.next),
    getPreviousPageParam: page => cursorOf(page.previous),
    maxPages: PAGES_KEPT,
    placeholderData: keepPreviousData,
  })
}

function cursorOf(address: string | null): PageParam | null {
  return address ? { cursor: new URL(address).searchParams.get('cursor')! } : null
}

/** Who, and which checkpoints, photos can be chosen by. */
export function useMakers(dataset: string) {
  const at = { params: { path: { dataset_id: dataset } } }
  const members = useQuery({
    queryKey: ['dataset', dataset, 'members'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/members/', at)),
  })
  const checkpoints = useQuery({
    queryKey: ['dataset', dataset, 'checkpoints'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/checkpoints/', at)),
  })
  return { members: members.data ?? [], checkpoints: checkpoints.data ?? [] }
}
