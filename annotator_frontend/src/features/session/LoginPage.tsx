import { Center, Paper, Text, Title } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { loggedIn } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { LoginForm } from './LoginForm'

export function LoginPage() {
  const queries = useQueryClient()
  const heading = (
    <div>
      <Title order={1} size="h2">
        Maskloop
      </Title>
      <Text c="dimmed" size="sm">
        {t('Photos in, masks out, and a model that gets better on the way.')}
      </Text>
    </div>
  )
  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="xl" w={380} maw="100%">
        <LoginForm
          heading={heading}
          onLogin={user => {
            loggedIn()
            queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
            queries.setQueryData(['session'], user)
          }}
        />
      </Paper>
    </Center>
  )
}
