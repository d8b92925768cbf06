import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { ApiError, answer, api, isPassing, type Schemas } from '@/shared/api/client'
import { thisTab } from '@/shared/api/tab'

/** `asOf`: how many operations had been confirmed when the server was asked for it. */
export type Assignment = Schemas['AssignmentJson'] & { asOf?: number }
export type Reason = Schemas['ReasonEnum']

/** The one at hand and two more, so that a train in a tunnel is no break; as many as the server leases to one person. */
const HELD = 3
const RENEW_EVERY_MS = 4 * 60_000
const ASK_AGAIN_MS = 1500
const ASK_SOON_MS = 300
const MOST_SOON = 20 // what is not through by then may never be

export type Job = 'annotate' | 'complete' | 'correct' | 'audit'

export interface QueueOptions {
  dataset: string
  job: Job
  /** The photo to begin with; null: whichever comes. */
  image: string | null
  /** Whether to ask already. */
  isEnabled: boolean
  /** Assignments that are as good as closed, though the server may not know yet. */
  closing: () => readonly string[]
  /** How many operations the server has confirmed so far. */
  asOf: () => number
  /** When the page is left, photos go back to the others; masks that were made stay. */
  onLeave: (held: readonly Assignment[]) => void
  /** The lease of the photo at hand ran out. */
  onLost: (assignment: Assignment) => void
  onError: (error: unknown) => void
}

export interface Queue {
  current: Assignment | null
  /** Those that come after it. */
  ahead: readonly Assignment[]
  /** Why there is no photo; null while one is coming. */
  reason: Reason | null
  /** Done with this one: the next takes its place at once. */
  advance: (finished: Assignment) => void
  /** A lease that ran out was taken again under another id; others may have made masks meanwhile. */
  move: (from: string, to: Assignment) => void
  /** What the server has said of one since. */
  replace: (assignment: Assignment) => void
}

interface Asking {
  isBusy: boolean
  isGone: boolean
  /** How often it was asked again while something was on its way. */
  soon: number
  timer?: ReturnType<typeof setTimeout>
}

/** The photo at hand and those after it, all leased, for as long as the page is open. */
export function useQueue({ dataset, job, image, isEnabled, ...options }: QueueOptions): Queue {
  const [held, setHeld] = useState<Assignment[]>([])
  const [reason, setReason] = useState<Reason | null>(null)
  const finished = useRef(new Set<string>())
  const [heldNow, optionsNow] = [useRef(held), useRef(options)]
  heldNow.current = held
  optionsNow.current = options
  const asking = useRef<Asking>({ isBusy: false, isGone: false, soon: 0 })
  const wantsImage = useRef(image)

  const fill = useCallback(async () => {
    const own = asking.current
    if (own.isBusy || own.isGone || heldNow.current.length >= HELD) return
    own.isBusy = true
    clearTimeout(own.timer)
    let pauseMs = 0
    // What was just submitted counts as open until the server has heard of it.
    const isAnyClosing = optionsNow.current.closing().length > 0
    const asOf = optionsNow.current.asOf()
    try {
      const found = await ask(dataset, job, wantsImage.current, [
        ...heldNow.current.map(({ id }) => id),
        ...finished.current,
      ])
      wantsImage.current = null
      const { assignment } = found
      if (assignment && own.isGone) optionsNow.current.onLeave([assignment])
      else if (assignment && optionsNow.current.closing().includes(assignment.id)) {
        finished.current.add(assignment.id)
        pauseMs = 1
      } else if (assignment) {
        setHeld(now =>
          now.some(({ image: { id } }) => id === assignment.image.id)
            ? now
            : [...now, { ...assignment, asOf }],
        )
        setReason(null)
      } else if (isAnyClosing && found.reason !== 'nothing_left' && own.soon++ < MOST_SOON) {
        pauseMs = ASK_SOON_MS
      } else {
        own.soon = 0
        if (!heldNow.current.length) setReason(found.reason)
        if (found.reason === 'too_many_open') pauseMs = ASK_AGAIN_MS
        if (found.reason === 'all_open_elsewhere') pauseMs = 10 * ASK_AGAIN_MS
      }
    } catch (error) {
      const isRefused = wantsImage.current !== null && error instanceof ApiError && !isPassing(error)
      if (isRefused) wantsImage.current = null // somebody else has it: then whichever comes
      pauseMs = isRefused ? 1 : 10 * ASK_AGAIN_MS
      if (!own.isGone) optionsNow.current.onError(error)
    } finally {
      own.isBusy = false
    }
    if (pauseMs && !own.isGone) own.timer = setTimeout(() => void fill(), pauseMs)
  }, [dataset, job, heldNow, optionsNow])

  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there is room
  useEffect(() => {
    if (isEnabled) void fill()
  }, [fill, isEnabled, held.length])

  useEffect(() => {
    const own = asking.current
    own.isGone = false
    const renew = () => {
      // What another window has is that one's to renew.
      for (const { id } of heldNow.current.filter(({ tab }) => !tab || tab === thisTab())) {
        const path = { assignment_id: id }
        answer(api.POST('/api/assignments/{assignment_id}/renew/', { params: { path } })).catch(
          (error: unknown) => {
            if (!(error instanceof ApiError) || error.code !== 'assignment_not_held') return
            const atHand = heldNow.current[0]
            if (atHand?.id === id) optionsNow.current.onLost(atHand)
            else setHeld(now => now.filter(other => other.id !== id)) // one that waits can go back
          },
        )
      }
    }
    const timer = setInterval(renew, RENEW_EVERY_MS)
    const ask = () => void fill() // the network is back
    window.addEventListener('online', ask)
    return () => {
      own.isGone = true
      window.removeEventListener('online', ask)
      clearInterval(timer)
      clearTimeout(own.timer)
      optionsNow.current.onLeave(heldNow.current)
    }
  }, [fill, heldNow, optionsNow])

  const advance = useCallback((done: Assignment) => {
    finished.current.add(done.id)
    // By its photo: its lease may have been taken again under another id this very moment.
    setHeld(now => now.filter(({ image: { id } }) => id !== done.image.id))
  }, [])

  const move = useCallback((from: string, to: Assignment) => {
    finished.current.add(to.id) // whoever asks next is not to get it a second time
    // The model stays the one that the photo was opened with.
    setHeld(now => now.map(one => (one.id === from ? { ...to, checkpoint: one.checkpoint } : one)))
  }, [])

  const replace = useCallback((changed: Assignment) => {
    setHeld(now => now.map(one => (one.id === changed.id ? changed : one)))
  }, [])

  const ahead = useMemo(() => held.slice(1), [held])
  return { current: held[0] ?? null, ahead, reason, advance, move, replace }
}

async function ask(
  dataset: string,
  job: Job,
  image: string | null,
  besides: string[],
): Promise<Schemas['NextJson']> {
  if (image) {
    const opened = await answer(
      api.POST('/api/images/{image_id}/open/', { params: { path: { image_id: image } } }),
    )
    return { assignment: opened, reason: null }
  }
  return answer(
    api.POST('/api/datasets/{dataset_id}/assignments/', {
      params: { path: { dataset_id: dataset } },
      body: { besides, job },
    }),
  )
}
