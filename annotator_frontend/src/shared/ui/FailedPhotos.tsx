import { Alert, Button, Stack, Text } from '@mantine/core'
import type { Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'

const SHOWN = 5

interface FailedPhotosProps {
  title: string
  /** The first of them. */
  failures: readonly Schemas['FailureJson'][]
  /** All that failed. */
  count: number
  /** null: whoever looks may not. */
  onRetry: (() => void) | null
  isBusy?: boolean
}

/** Photos on which a model failed, each with the reason, and a way to try again. */
export function FailedPhotos({ title, failures, count, onRetry, isBusy = false }: FailedPhotosProps) {
  const shown = failures.slice(0, SHOWN)
  return (
    <Alert color="red" title={title} data-testid="failed-photos">
      <Stack gap={4}>
        {shown.map(({ image, file_name, error }) => (
          <Text size="sm" key={image} style={{ overflowWrap: 'anywhere' }}>
            <Text span fw={600} size="sm">
              {file_name}
            </Text>
            : {error}
          </Text>
        ))}
        {count > shown.length && (
          <Text size="sm" c="dimmed">
            {t('and {{count}} others', { count: count - shown.length })}
          </Text>
        )}
      </Stack>
      {onRetry && (
        <Button size="compact-sm" variant="default" mt="xs" onClick={onRetry} loading={isBusy}>
          {t('Try those again')}
        </Button>
      )}
    </Alert>
  )
}
