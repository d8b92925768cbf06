import { Text } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useStore } from 'zustand'
import { t } from '@/shared/i18n'
import type { ActiveClock } from '../editor/activeClock'
import { isBusy } from '../editor/document'
import type { Editor } from '../editor/editor'
import classes from './panels.module.css'

/** A single mask is not worth more (SAM-p, 4, "assisted-manual stage"). */
export const LONG_SECONDS = 30

/** Tells every second whether the work that begins now has taken long, until the returned function is called. */
export function whetherLong(clock: ActiveClock, tell: (isLong: boolean) => void): () => void {
  const began = clock.peek(performance.now())
  const timer = setInterval(() => tell(clock.peek(performance.now()) - began > LONG_SECONDS), 1000)
  return () => clearInterval(timer)
}

/** A quiet word once an object has taken long. It asks for nothing and goes with the object. */
export function SlowSign({ editor, clock }: { editor: Editor; clock: ActiveClock }) {
  const isInWork = useStore(editor.store, isBusy)
  const [isLong, setLong] = useState(false)
  useEffect(() => {
    setLong(false)
    return isInWork ? whetherLong(clock, setLong) : undefined
  }, [isInWork, clock])
  if (!isInWork || !isLong) return null
  return (
    <Text size="xs" role="status" className={classes.sign} data-testid="slow">
      {t('Over half a minute on this object. Take it as it is, or leave it for the next one.')}
    </Text>
  )
}
