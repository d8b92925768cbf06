import { useQuery } from '@tanstack/react-query'
import { answer, api } from './client'

/** Who is logged in; null: nobody. */
export function useCurrentUser() {
  return useQuery({
    queryKey: ['session'],
    queryFn: async () => (await answer(api.GET('/api/session/'))).user,
    staleTime: Number.POSITIVE_INFINITY,
  })
}
