import { useSearchParams } from 'react-router'

/** What a person may choose photos by. All of it is in the page's address, so that a list can be sent to somebody. */
export const CHOICES = [
  'status',
  'split',
  'name',
  'skipped',
  'skipped_in',
  'stage',
  'origin',
  'person',
  'checkpoint',
  'confidence_from',
  'confidence_to',
  'made_from',
  'made_to',
  'finished_from',
  'finished_to',
  'submitted_by',
  'verdict',
  'judged_by',
  'judged_from',
  'judged_to',
  'sort',
] as const

export type Choice = Partial<Record<(typeof CHOICES)[number], string>>

/** The photo at the top of the window. */
const PLACE = 'at'
const HIDES_MASKS = 'masks'

export function useChoice() {
  const [search, setSearch] = useSearchParams()
  const choice: Choice = {}
  for (const name of CHOICES) {
    const value = search.get(name)
    if (value) choice[name] = value
  }
  const change = (changes: Record<string, string | null>, { replace = false } = {}) =>
    setSearch(
      before => {
        const next = new URLSearchParams(before)
        for (const [name, value] of Object.entries(changes)) {
          if (value) next.set(name, value)
          else next.delete(name)
        }
        return next
      },
      { replace, preventScrollReset: true },
    )
  return {
    choice,
    /** Another list begins at its top. */
    choose: (changes: Choice, options?: { replace?: boolean }) =>
      change({ ...changes, [PLACE]: null }, options),
    clear: () => change(Object.fromEntries([...CHOICES, PLACE].map(name => [name, null]))),
    place: search.get(PLACE),
    keepPlace: (photo: string | null) =>
      search.get(PLACE) !== photo && change({ [PLACE]: photo }, { replace: true }),
    areMasksShown: search.get(HIDES_MASKS) !== 'no',
    showMasks: (areShown: boolean) => change({ [HIDES_MASKS]: areShown ? null : 'no' }, { replace: true }),
  }
}
