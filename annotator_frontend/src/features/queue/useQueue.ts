import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { listen } from '@/shared/api/changes'
import { answer, api } from '@/shared/api/client'
import { thisTab } from '@/shared/api/tab'
import {
  type Assignment,
  PhotoQueue,
  type QueueServer,
  type QueueSurroundings,
  type Reason,
} from './photoQueue'
import { Presence } from './presence'

export type { Assignment, Reason } from './photoQueue'

export type Job = 'annotate' | 'complete' | 'correct' | 'audit'

export interface QueueOptions extends Omit<QueueSurroundings, 'isAway' | 'isOwn'> {
  dataset: string
  job: Job
  /** The photo to begin with; null: whichever comes. */
  image: string | null
  /** Whether to ask already. */
  isEnabled: boolean
  /** Whether something that was made waits to be sent. */
  isUnsent: () => boolean
}

export interface Queue extends Pick<PhotoQueue, 'advance' | 'move' | 'replace'> {
  current: Assignment | null
  /** Those that come after it. */
  ahead: readonly Assignment[]
  /** Why there is no photo; null while one is coming. */
  reason: Reason | null
  /** Whether nobody is there, so that leases may run out. */
  isAway: () => boolean
}

/** The photo at hand and those after it, all leased, for as long as the page is open and somebody is there. */
export function useQueue({ dataset, job, image, isEnabled, isUnsent, ...options }: QueueOptions): Queue {
  const own = useRef<PhotoQueue>(null)
  const [presence] = useState(() => new Presence(() => own.current?.goOn()))
  const surroundings: QueueSurroundings = {
    ...options,
    isAway: () => presence.isAway && !isUnsent(),
    // What another window has is that one's to renew.
    isOwn: ({ tab }) => !tab || tab === thisTab(),
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a photo is asked for once, and what surrounds it is told below
  const queue = useMemo(() => new PhotoQueue(serverFor(dataset, job), image, surroundings), [dataset, job])
  own.current = queue
  queue.surroundings = surroundings
  const { held, reason } = useSyncExternalStore(queue.subscribe, queue.getState)

  useEffect(() => presence.watch(window), [presence])
  useEffect(() => {
    if (!isEnabled) return
    queue.start()
    window.addEventListener('online', queue.goOn)
    const stop = listen(change => change.dataset === dataset && queue.changed(), queue.changed)
    return () => {
      stop()
      window.removeEventListener('online', queue.goOn)
      queue.stop()
    }
  }, [queue, dataset, isEnabled])

  const ahead = useMemo(() => held.slice(1), [held])
  const { advance, move, replace } = queue
  return { current: held[0] ?? null, ahead, reason, advance, move, replace, isAway: surroundings.isAway }
}

function serverFor(dataset: string, job: Job): QueueServer {
  return {
    next: besides =>
      answer(
        api.POST('/api/datasets/{dataset_id}/assignments/', {
          params: { path: { dataset_id: dataset } },
          body: { besides, job },
        }),
      ),
    open: image =>
      answer(api.POST('/api/images/{image_id}/open/', { params: { path: { image_id: image } } })),
    renew: async assignment => {
      const path = { assignment_id: assignment }
      await answer(api.POST('/api/assignments/{assignment_id}/renew/', { params: { path } }))
    },
  }
}
