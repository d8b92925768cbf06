import { Text } from '@mantine/core'
import { t } from '@/shared/i18n'
import type { AutolabelRun } from './queries'

/** Why a run, of whatever purpose, does not get on. */
export function Postponed({ run: { postponed } }: { run: Pick<AutolabelRun, 'postponed'> }) {
  if (!postponed) return null
  return (
    <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
      {t('{{count}} photos are tried again in some minutes, because of a fault of the server: {{error}}', {
        count: postponed.photos,
        error: postponed.error,
      })}
    </Text>
  )
}
