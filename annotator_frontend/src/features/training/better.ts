/** Figures of which less is better. */
const LESS_IS_BETTER = new Set(['noc90', 'oracle_gap'])

export interface Difference {
  key: string
  low: number | null
  high: number | null
}

/** Whether the right one is better or worse by more than chance: its interval leaves out zero. Of too few photos there is none. */
export function verdictOn({ key, low, high }: Difference): 'better' | 'worse' | 'unclear' {
  if (low === null || high === null || (low <= 0 && high >= 0)) return 'unclear'
  return low > 0 !== LESS_IS_BETTER.has(key) ? 'better' : 'worse'
}
