import { type RefObject, useLayoutEffect, useRef, useState } from 'react'

const COLUMNS = [10, 6, 5, 4, 3, 2]
const TILE_MIN_PX = 190
const GAP_PX = 12
const CAPTION_PX = 34
/** Rows kept ready above and below the window. */
const MARGIN_ROWS = 3

export interface Rows {
  columns: number
  rowHeight: number
  first: number
  last: number
}

interface RowsOptions {
  list: RefObject<HTMLElement | null>
  ids: readonly string[]
  /** The photo to begin with. */
  place: string | null
  /** The photo at the top of the window; null: the list's own top is in sight. */
  onPlace: (id: string | null) => void
}

/**
 * Which rows of a grid that scrolls with the window are in sight. All rows are of one height, so their places follow from their
 * numbers; when rows come or go above, the window moves along and what is looked at stays where it is.
 */
export function useRows({ list, ids, place, onPlace }: RowsOptions): Rows {
  const [rows, setRows] = useState<Rows>({ columns: 4, rowHeight: 220, first: 0, last: 8 })
  const [isMeasured, setMeasured] = useState(false)
  const now = useRef({
    ids,
    onPlace,
    rows,
    place,
    anchor: null as { id: string; top: number } | null,
    look: () => {},
  })
  now.current = { ...now.current, ids, onPlace, rows }
  const hasIds = ids.length > 0

  // Before the effect below: a place is found by the grid as it is.
  useLayoutEffect(() => {
    if (!list.current || !hasIds) return
    const element = list.current
    const before = history.scrollRestoration
    history.scrollRestoration = 'manual'
    let frame = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = () => {
      frame = 0
      const { width, top } = element.getBoundingClientRect()
      const columns = COLUMNS.find(count => width / count >= TILE_MIN_PX) ?? 2
      const rowHeight = Math.round((((width + GAP_PX) / columns - GAP_PX) * 3) / 4) + CAPTION_PX + GAP_PX
      const first = Math.max(0, Math.floor(-top / rowHeight))
      const last = Math.ceil((window.innerHeight - top) / rowHeight)
      const nearest = Math.round(-top / rowHeight)
      const seen = now.current.ids[nearest * columns]
      now.current.anchor = top < 1 && seen ? { id: seen, top: top + nearest * rowHeight } : null
      setRows(own => {
        const next = {
          columns,
          rowHeight,
          first: Math.max(0, first - MARGIN_ROWS),
          last: last + MARGIN_ROWS,
        }
        return Object.entries(next).every(([name, value]) => own[name as keyof Rows] === value) ? own : next
      })
    }
    now.current.look = look
    setMeasured(true)
    const onMove = () => {
      frame ||= requestAnimationFrame(look)
      clearTimeout(timer)
      timer = setTimeout(() => now.current.onPlace(now.current.anchor?.id ?? null), 250)
    }
    look()
    const resized = new ResizeObserver(onMove)
    resized.observe(element)
    window.addEventListener('scroll', onMove, { passive: true })
    return () => {
      history.scrollRestoration = before
      cancelAnimationFrame(frame)
      clearTimeout(timer)
      resized.disconnect()
      window.removeEventListener('scroll', onMove)
    }
  }, [list, hasIds])

  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever the rows or their shape change
  useLayoutEffect(() => {
    const own = now.current
    if (!list.current || !ids.length || !isMeasured) return
    const wanted = own.place ? { id: own.place, top: 0 } : own.anchor
    own.place = null // only once: from then on the hand scrolls
    const index = wanted ? ids.indexOf(wanted.id) : -1
    if (!wanted || index < 0) return
    const top = list.current.getBoundingClientRect().top + Math.floor(index / rows.columns) * rows.rowHeight
    if (Math.abs(top - wanted.top) < 1) return
    window.scrollBy({ top: top - wanted.top, behavior: 'instant' })
    own.look() // before anybody asks for more because the old rows were the first
  }, [ids, isMeasured, rows.columns, rows.rowHeight])

  return rows
}
