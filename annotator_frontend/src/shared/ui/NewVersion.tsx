import { Button, Group, Text } from '@mantine/core'
import { isOutdated, useSignal } from '@/shared/api/signal'
import { t } from '@/shared/i18n'

/** Said when the server has another version of the page. When to reload is the person's choice: nothing is lost by it. */
export function NewVersion() {
  if (!useSignal(isOutdated)) return null
  return (
    <Group gap="xs" role="status" wrap="nowrap" data-testid="new-version">
      <Text size="xs">{t('There is a new version of Maskloop.')}</Text>
      <Button size="compact-xs" variant="default" onClick={() => location.reload()}>
        {t('Reload now')}
      </Button>
    </Group>
  )
}
