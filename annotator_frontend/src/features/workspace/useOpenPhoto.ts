import { useEffect } from 'react'
import type { Assignment } from './photoShelf'
import type { Workbench } from './workbench'

/** Puts the photo that is worked on, and those that come next, on the workbench. */
export function useOpenPhoto(
  bench: Workbench,
  current: Assignment | null,
  ahead: readonly Assignment[],
  isWatching: boolean,
  user: string,
): void {
  bench.assignment = current
  useEffect(() => bench.shelf.hold(current ? [current, ...ahead] : ahead), [bench, current, ahead])
  const photo = current?.image.id
  // What another window does is followed; what this one does, it knows best itself.
  const watched = isWatching ? current?.masks : null
  // Not whenever the assignment changes: a lease that was taken again goes on with the same photo, undo and all.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => bench.open(current, user), [bench, photo, watched, user])
  const [lease, masks] = [current?.id, current?.masks]
  // biome-ignore lint/correctness/useExhaustiveDependencies: a lease that was taken again tells what others did meanwhile
  useEffect(() => {
    if (current && !isWatching) bench.meet(current, user)
  }, [bench, lease, masks, user])
  useEffect(() => {
    bench.isWatching = isWatching
  }, [bench, isWatching])
}
