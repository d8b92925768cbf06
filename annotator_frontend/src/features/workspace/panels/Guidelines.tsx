import { Drawer, Text } from '@mantine/core'
import { t } from '@/shared/i18n'
import { Markdown } from '@/shared/ui/Markdown'

interface GuidelinesProps {
  isOpen: boolean
  onClose: () => void
  /** Markdown, as the dataset's admins wrote it. */
  text: string
}

/** What this dataset wants outlined, beside the photo, which stays in view. */
export function Guidelines({ isOpen, onClose, text }: GuidelinesProps) {
  return (
    <Drawer
      opened={isOpen}
      onClose={onClose}
      title={t('Guidelines')}
      position="right"
      size="md"
      overlayProps={{ backgroundOpacity: 0.15 }}
      closeButtonProps={{ 'aria-label': t('Close') }}
    >
      {text.trim() ? (
        <Markdown text={text} />
      ) : (
        <Text c="dimmed">
          {t(
            'Nobody has written any for this dataset. Outline what you could name or describe: whole things, parts, groups and grounds alike, the most prominent first. Names are not asked for.',
          )}
        </Text>
      )}
    </Drawer>
  )
}
