import { Button, Modal, Stack, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { loggedIn, type Schemas } from '@/shared/api/client'
import { loginExpired, useSignal } from '@/shared/api/signal'
import { t } from '@/shared/i18n'
import { LoginForm } from './LoginForm'

/** The login ran out: asked for on top of the page, which stays as it is beneath, with all that is in work. */
export function LoginAgain({ user, onBack }: { user: Schemas['UserJson']; onBack: () => void }) {
  const queries = useQueryClient()
  const isExpired = useSignal(loginExpired)
  const leave = () => {
    loginExpired.set(false)
    queries.setQueryData(['session'], null)
  }
  return (
    <Modal
      opened={isExpired}
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t('You are not logged in any more')}
      centered
    >
      <Stack gap="md">
        <Text size="sm">{t('Nothing is lost: log in again, and go on where you were.')}</Text>
        <LoginForm
          name={user.username}
          onLogin={() => {
            loggedIn()
            void queries.invalidateQueries()
            onBack()
          }}
        />
        <Button variant="subtle" color="gray" size="compact-sm" onClick={leave}>
          {t('I am somebody else')}
        </Button>
      </Stack>
    </Modal>
  )
}
