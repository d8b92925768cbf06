import { type RefObject, useEffect, useRef } from 'react'
import type { ActiveClock } from './editor/activeClock'

/** Has the clock of the work on a mask stand still while the tab is hidden, and while a dialog lies over the photo. */
export function useWorkClock(clock: ActiveClock, isCovered: boolean): void {
  const covered: RefObject<boolean> = useRef(isCovered)
  covered.current = isCovered
  useEffect(() => {
    if (isCovered) clock.hold(performance.now())
    else if (!document.hidden) clock.goOn(performance.now())
  }, [clock, isCovered])
  useEffect(() => {
    const onVisibility = () => {
      if (document.hidden) clock.hold(performance.now())
      else if (!covered.current) clock.goOn(performance.now())
    }
    document.addEventListener('visibilitychange', onVisibility)
    return () => document.removeEventListener('visibilitychange', onVisibility)
  }, [clock])
}
