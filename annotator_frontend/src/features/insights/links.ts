/** Where a number leads to: the photos with the masks that it counts. */

export type Chosen = Record<string, string | null | undefined>

export function gallery(dataset: string, chosen: Chosen): string {
  const given = Object.entries(chosen).filter((pair): pair is [string, string] => Boolean(pair[1]))
  const query = new URLSearchParams(given).toString()
  return `/datasets/${dataset}${query && `?${query}`}`
}

interface Spell {
  since: string
  until: string | null
}

/** Masks that people drew then. */
export function drawnIn(dataset: string, { since, until }: Spell): string {
  return gallery(dataset, { origin: 'drawn', made_from: since, made_to: until })
}

/** Photos that people first finished then. */
export function finishedIn(dataset: string, { since, until }: Spell): string {
  return gallery(dataset, { finished_from: since, finished_to: until })
}

/** Masks that a model made by itself then. */
export function automaticIn(dataset: string, { since, until }: Spell): string {
  return gallery(dataset, { origin: 'automatic', made_from: since, made_to: until })
}

/** Proposals of which this was somebody's last word, said then. For reviewers: annotators are refused the list. */
export function judgedIn(dataset: string, verdict: string, { since, until }: Spell): string {
  return gallery(dataset, { verdict, judged_from: since, judged_to: until })
}

export function comparison(dataset: string, left?: string | null, right?: string | null): string {
  const query = new URLSearchParams(
    Object.entries({ left, right }).filter((pair): pair is [string, string] => Boolean(pair[1])),
  ).toString()
  return `/datasets/${dataset}/compare${query && `?${query}`}`
}
