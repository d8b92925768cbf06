import { Alert, Button, Center, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { answer, api } from '@/shared/api/client'
import { t } from '@/shared/i18n'

export function LoginPage() {
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const queries = useQueryClient()
  const login = useMutation({
    mutationFn: () => answer(api.POST('/api/session/', { body: { username, password } })),
    onSuccess: ({ user }) => {
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
      queries.setQueryData(['session'], user)
    },
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    login.mutate()
  }
  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="xl" w={380} maw="100%">
        <form onSubmit={onSubmit}>
          <Stack gap="md">
            <div>
              <Title order={1} size="h2">
                Maskloop
              </Title>
              <Text c="dimmed" size="sm">
                {t('Photos in, masks out, and a model that gets better on the way.')}
              </Text>
            </div>
            {login.error && (
              <Alert color="red" role="alert">
                {login.error.message}
              </Alert>
            )}
            <TextInput
              label={t('Name')}
              autoComplete="username"
              value={username}
              onChange={event => setUsername(event.currentTarget.value)}
              required
              autoFocus
            />
            <PasswordInput
              label={t('Password')}
              autoComplete="current-password"
              value={password}
              onChange={event => setPassword(event.currentTarget.value)}
              required
            />
            <Button type="submit" loading={login.isPending}>
              {t('Log in')}
            </Button>
          </Stack>
        </form>
      </Paper>
    </Center>
  )
}
