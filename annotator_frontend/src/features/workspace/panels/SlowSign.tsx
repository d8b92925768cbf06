import { Text } from '@mantine/core'
import { useEffect, useState } from 'react'
import { t } from '@/shared/i18n'
import type { ActiveClock } from '../editor/activeClock'
import { isBusy } from '../editor/document'
import type { Editor } from '../editor/editor'
import classes from './panels.module.css'
import { Told } from './Told'

/** A single mask is not worth more (SAM-p, 4, "assisted-manual stage"). */
export const LONG_SECONDS = 30

/** Tells every second whether the work that begins now has taken long, until the returned function is called. */
export function whetherLong(clock: ActiveClock, tell: (isLong: boolean) => void): () => void {
  const began = clock.peek(performance.now())
  const timer = setInterval(() => tell(clock.peek(performance.now()) - began > LONG_SECONDS), 1000)
  return () => clearInterval(timer)
}

/** Tells the same of whatever object is in work, and begins anew with each, however quickly it follows on the one before. */
export function whetherObjectLong(
  editor: Editor,
  clock: ActiveClock,
  tell: (isLong: boolean) => void,
): () => void {
  let stop = () => {}
  const begin = () => {
    stop()
    tell(false)
    stop = editor.isBusy ? whetherLong(clock, tell) : () => {}
  }
  const leave = editor.store.subscribe((now, before) => {
    if (isBusy(now) !== isBusy(before)) begin()
  })
  begin()
  return () => {
    leave()
    stop()
  }
}

/** A quiet word once an object has taken long. It asks for nothing and goes with the object. */
export function SlowSign({ editor, clock }: { editor: Editor; clock: ActiveClock }) {
  const [isLong, setLong] = useState(false)
  useEffect(() => whetherObjectLong(editor, clock, setLong), [editor, clock])
  return (
    <Told>
      {isLong && (
        <Text size="xs" className={classes.sign} data-testid="slow">
          {t('Over half a minute on this object. Take it as it is, or leave it for the next one.')}
        </Text>
      )}
    </Told>
  )
}
