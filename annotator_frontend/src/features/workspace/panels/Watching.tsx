import { Button, Group, Text } from '@mantine/core'
import { t } from '@/shared/i18n'
import classes from '../workspace.module.css'
import { Told } from './Told'

/** Another window of the person's writes to the photo: this one only looks, until it takes the photo over. Null: none does. */
export function Watching({ onTakeOver }: { onTakeOver: (() => void) | null }) {
  return (
    <Told>
      {onTakeOver && (
        <Group className={classes.watching} gap="sm" data-testid="watching">
          <Text size="sm">
            {t('You have this photo open in another window. Here you see what happens there.')}
          </Text>
          <Button size="compact-sm" onClick={onTakeOver}>
            {t('Go on in this window')}
          </Button>
        </Group>
      )}
    </Told>
  )
}
