import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { tellError } from '@/shared/ui/notify'
import { answer, api, type Schemas } from './client'
import { useCurrentUser } from './useCurrentUser'

export type Preferences = Schemas['PreferencesJson']

const NOTHING: Preferences = {}

/** What the person prefers. A change shows at once, and is kept on the server; null is as usual again. */
export function usePreferences(): [Preferences, (changes: Preferences) => void] {
  const queries = useQueryClient()
  const { data: user } = useCurrentUser()
  const set = useCallback(
    (edit: (before: Preferences) => Preferences) =>
      queries.setQueryData<Schemas['UserJson'] | null>(
        ['session'],
        now => now && { ...now, preferences: edit(now.preferences) },
      ),
    [queries],
  )
  const change = useCallback(
    (changes: Preferences) => {
      let before = NOTHING
      set(now => {
        before = now
        return { ...now, ...changes }
      })
      answer(api.PATCH('/api/me/preferences/', { body: changes })).catch((error: unknown) => {
        set(() => before)
        tellError(error)
      })
    },
    [set],
  )
  return [user?.preferences ?? NOTHING, change]
}
