import { Button, Group, Loader, Text } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { t } from '@/shared/i18n'
import type { Closer } from '../closer'
import classes from './panels.module.css'
import { Told } from './Told'

/** Which part of the photo the model looks at, where it is not all of it; and the way back. */
export function CloserNotice({ closer, onLeave }: { closer: Closer; onLeave: () => void }) {
  const state = useSyncExternalStore(closer.subscribe, closer.getState, closer.getState)
  return (
    <Told>
      {state.name !== 'whole' && (
        <Group className={classes.closer} gap="sm" wrap="nowrap">
          {state.name === 'waiting' ? (
            <>
              <Loader size="xs" />
              <Text size="sm">
                {state.expectedSeconds === null
                  ? t('The model is looking closer')
                  : t('The model is looking closer, about {{seconds}} s', {
                      seconds: Math.max(1, Math.round(state.expectedSeconds)),
                    })}
              </Text>
            </>
          ) : (
            <Text size="sm">
              {t('The model looks at {{width}} × {{height}} px', {
                width: state.region[2] - state.region[0],
                height: state.region[3] - state.region[1],
              })}
            </Text>
          )}
          <Button size="compact-xs" variant="default" onClick={onLeave}>
            {t('Whole photo')}
          </Button>
        </Group>
      )}
    </Told>
  )
}
