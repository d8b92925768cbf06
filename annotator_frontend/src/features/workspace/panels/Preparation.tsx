import { Alert, Button, Group, Loader, Text } from '@mantine/core'
import { t } from '@/shared/i18n'
import type { ShelvedPhoto } from '../photoShelf'
import classes from '../workspace.module.css'
import { Told } from './Told'

interface PreparationProps {
  /** Null: there is none. */
  photo: ShelvedPhoto | null
  onTryAgain: () => void
}

/** What is still to come before clicks can be answered, and how long that should take; or why it cannot come. */
export function Preparation({ photo, onTryAgain }: PreparationProps) {
  const problem = photo?.pictureProblem ?? photo?.modelProblem
  const isComing = photo && !problem && !(photo.isReady && photo.picture)
  return (
    <>
      {problem && (
        <Alert className={classes.notice} color="red" title={t('This photo cannot be shown or prepared')}>
          {problem}
          {photo?.isModelOut && (
            <Button size="compact-sm" variant="default" display="block" mt="xs" onClick={onTryAgain}>
              {t('Try again')}
            </Button>
          )}
        </Alert>
      )}
      <Told>
        {isComing && (
          <Group className={classes.notice} gap="xs">
            <Loader size="xs" />
            <Text size="sm">
              {photo.picture ? t('The model is looking at the photo') : t('The photo is coming')}
              {photo.expectedSeconds !== null &&
                `, ${t('about {{seconds}} s', { seconds: Math.max(1, Math.round(photo.expectedSeconds)) })}`}
            </Text>
          </Group>
        )}
      </Told>
    </>
  )
}
