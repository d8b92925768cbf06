import { type RefObject, useCallback, useEffect, useRef } from 'react'
import type { Assignment, Queue } from '@/features/queue/useQueue'
import type { Outbox } from '@/features/workspace/saving/outbox'
import { type Change, listen } from '@/shared/api/changes'
import { ApiError, answer, api } from '@/shared/api/client'
import { isGone, thisTab } from '@/shared/api/tab'

/** Many changes in a row ask the server once. */
const GATHER_MS = 200

/** Whether another window of the same person writes to the photo. */
export function isElsewhere({ tab }: Assignment): boolean {
  return tab !== '' && tab !== thisTab()
}

/**
 * Photos that another window of the person's has: watched, as they change there, until this window takes them over. One whose
 * window is gone, after a crash or a closed tab, is taken over without a question.
 *
 * @param lost told of a photo of this window's whose lease ran out.
 */
export function useWatching(
  queue: Queue,
  outbox: Outbox,
  lost: RefObject<(assignment: Assignment) => void>,
  onError: (error: unknown) => void,
) {
  const { current, ahead, replace, advance } = queue
  const held = current ? [current, ...ahead] : ahead
  const newest = useRef(held)
  newest.current = held

  /** Of one other window: the photo at hand and those that it has fetched ahead. */
  const takeOver = useCallback(
    async (tab: string) => {
      try {
        // What the other window could not send yet is taken over, too.
        await outbox.resume()
        for (const held of newest.current) {
          if (held.tab !== tab) continue
          const asOf = outbox.confirmations
          const taken = await answer(api.POST('/api/assignments/{assignment_id}/take/', path(held.id)))
          replace({ ...taken, asOf })
        }
        outbox.kick()
      } catch (error) {
        onError(error)
      }
    },
    [outbox, replace, onError],
  )

  const seen = [...new Set(held.filter(isElsewhere).map(({ tab }) => tab))].join(' ')
  useEffect(() => {
    for (const tab of seen.split(' ').filter(Boolean)) {
      void isGone(tab).then(gone => (gone ? takeOver(tab) : undefined))
    }
  }, [seen, takeOver])

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      timer = undefined
      for (const held of newest.current) {
        const asOf = outbox.confirmations
        try {
          const now = await answer(api.GET('/api/assignments/{assignment_id}/', path(held.id)))
          if (now.state === 'open') {
            // While this window writes, it knows best what is on the photo.
            if (isElsewhere(now) || isElsewhere(held)) replace({ ...now, asOf })
          } else if (isElsewhere(held)) advance(held)
          else if (now.state === 'expired') lost.current(held)
        } catch (error) {
          // The one at hand stays, with what was drawn: it may be somebody else who is logged in right now.
          if (error instanceof ApiError && error.status === 404 && isElsewhere(held)) advance(held)
        }
      }
    }
    const soon = () => {
      timer ??= setTimeout(() => void look(), GATHER_MS)
    }
    const onChange = ({ kind, subject, data }: Change) => {
      const isOurs = newest.current.some(
        held => held.id === subject || (isElsewhere(held) && held.image.id === data.image),
      )
      if (isOurs && !(kind === 'assignment.taken' && data.tab === thisTab())) soon()
    }
    const stop = listen(onChange, soon)
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [replace, advance, outbox, lost])

  return takeOver
}

const path = (assignment: string) => ({ params: { path: { assignment_id: assignment } } })
