import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useState } from 'react'
import { answer, api, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'

interface LoginFormProps {
  heading?: ReactNode
  /** Who it is to be; left out: anybody. */
  name?: string
  onLogin: (user: NonNullable<Schemas['SessionJson']['user']>) => void
}

export function LoginForm({ heading, name, onLogin }: LoginFormProps) {
  const [username, setUsername] = useState(name ?? '')
  const [password, setPassword] = useState('')
  const login = useMutation({
    mutationFn: () => answer(api.POST('/api/session/', { body: { username, password } })),
    onSuccess: ({ user }) => user && onLogin(user),
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    login.mutate()
  }
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="md">
        {heading}
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
          readOnly={name !== undefined}
          autoFocus={name === undefined}
        />
        <PasswordInput
          label={t('Password')}
          autoComplete="current-password"
          value={password}
          onChange={event => setPassword(event.currentTarget.value)}
          required
          data-autofocus={name !== undefined || undefined}
        />
        <Button type="submit" loading={login.isPending}>
          {t('Log in')}
        </Button>
      </Stack>
    </form>
  )
}
