import { useCallback, useEffect, useRef, useState } from 'react'
import { ApiError, answer, api, type Schemas } from '@/shared/api/client'

export type Assignment = Schemas['AssignmentJson']
export type Reason = Schemas['ReasonEnum']

const HELD_AHEAD = 2
const RENEW_EVERY_MS = 4 * 60_000
const ASK_AGAIN_MS = 1500

export interface Queue {
  current: Assignment | null
  next: Assignment | null
  /** Why there is no photo; null while one is coming. */
  reason: Reason | null
  /** Done with this one: the next takes its place at once. */
  advance: (finished: Assignment) => void
}

/** The photo at hand and the one after it, both leased, for as long as the page is open. */
export function useQueue(dataset: string, image: string | null, onError: (error: unknown) => void): Queue {
  const [held, setHeld] = useState<Assignment[]>([])
  const [reason, setReason] = useState<Reason | null>(null)
  const finished = useRef(new Set<string>())
  const heldNow = useRef(held)
  heldNow.current = held
  const isAsking = useRef(false)
  const wantsImage = useRef(image)

  const fill = useCallback(async () => {
    if (isAsking.current || heldNow.current.length >= HELD_AHEAD) return
    isAsking.current = true
    let [again, tooMany] = [false, false]
    try {
      const found = await ask(dataset, wantsImage.current, [
        ...heldNow.current.map(({ id }) => id),
        ...finished.current,
      ])
      wantsImage.current = null
      if (found.assignment) {
        const { assignment } = found
        setHeld(now => (now.some(({ id }) => id === assignment.id) ? now : [...now, assignment]))
        setReason(null)
      } else {
        // The photo just submitted may still count as open until the server has heard of it.
        tooMany = found.reason === 'too_many_open'
        if (!tooMany && !heldNow.current.length) setReason(found.reason)
        again = tooMany || found.reason === 'all_open_elsewhere'
      }
    } catch (error) {
      if (wantsImage.current) wantsImage.current = null
      else again = true
      onError(error)
    } finally {
      isAsking.current = false
    }
    if (again) setTimeout(() => void fill(), tooMany ? ASK_AGAIN_MS : 10 * ASK_AGAIN_MS)
  }, [dataset, onError])

  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there is room
  useEffect(() => {
    void fill()
  }, [fill, held.length])

  useEffect(() => {
    const renew = () => {
      for (const { id } of heldNow.current) {
        const path = { assignment_id: id }
        answer(api.POST('/api/assignments/{assignment_id}/renew/', { params: { path } })).catch(
          (error: unknown) => {
            // One that waits can go back; the one at hand stays, and what was drawn is kept.
            const isAhead = heldNow.current[0]?.id !== id
            if (error instanceof ApiError && error.code === 'assignment_not_held' && isAhead) {
              setHeld(now => now.filter(other => other.id !== id))
            }
          },
        )
      }
    }
    const timer = setInterval(renew, RENEW_EVERY_MS)
    return () => clearInterval(timer)
  }, [])

  useEffect(() => {
    // When the page is left, photos go back to the others. Masks that were made stay; the photo comes again.
    const giveBack = () => {
      for (const { id } of heldNow.current) {
        const path = { assignment_id: id }
        void api.POST('/api/assignments/{assignment_id}/release/', { params: { path } }).catch(() => {})
      }
    }
    return giveBack
  }, [])

  const advance = useCallback((done: Assignment) => {
    finished.current.add(done.id)
    setHeld(now => now.filter(({ id }) => id !== done.id))
  }, [])

  return { current: held[0] ?? null, next: held[1] ?? null, reason, advance }
}

async function ask(dataset: string, image: string | null, besides: string[]): Promise<Schemas['NextJson']> {
  if (image) {
    const opened = await answer(
      api.POST('/api/images/{image_id}/open/', { params: { path: { image_id: image } } }),
    )
    return { assignment: opened, reason: null }
  }
  return answer(
    api.POST('/api/datasets/{dataset_id}/assignments/', {
      params: { path: { dataset_id: dataset } },
      body: { besides },
    }),
  )
}
