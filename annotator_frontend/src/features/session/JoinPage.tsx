import {
  Alert,
  Anchor,
  Button,
  Center,
  List,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Link, useLocation, useNavigate } from 'react-router'
import { answer, api, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'

/** Where an invitation leads: join as who you are, or make an account and join. */
export function JoinPage({ user }: { user: Schemas['UserJson'] | null }) {
  const token = useLocation().hash.slice(1)
  const queries = useQueryClient()
  const navigate = useNavigate()
  const invited = useQuery({
    queryKey: ['invited', token],
    queryFn: () => answer(api.POST('/api/invited/', { body: { token } })),
  })
  const [form, setForm] = useState({ username: '', password: '' })
  const accept = useMutation({
    mutationFn: () => answer(api.POST('/api/invited/accept/', { body: { token, ...(user ? {} : form) } })),
    onSuccess: async ({ dataset }) => {
      await navigate(`/datasets/${dataset}`, { replace: true })
      await queries.invalidateQueries({ queryKey: ['session'] })
    },
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    accept.mutate()
  }
  const error = invited.error ?? accept.error
  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="xl" w={420} maw="100%">
        <form onSubmit={onSubmit}>
          <Stack gap="md">
            <Title order={1} size="h2">
              {invited.data ? t('Join {{dataset}}', { dataset: invited.data.dataset }) : 'Maskloop'}
            </Title>
            {error && (
              <Alert color="red" role="alert">
                {error.message}
              </Alert>
            )}
            {invited.error && (
              <Anchor component={Link} to="/" size="sm">
                {t('To the first page')}
              </Anchor>
            )}
            {invited.data && (
              <Text size="sm" c="dimmed">
                {t('{{name}} invites you.', { name: invited.data.invited_by })}{' '}
                {user && t('You join as {{name}}.', { name: user.username })}
              </Text>
            )}
            {invited.data && !user && (
              <>
                <TextInput
                  label={t('Name')}
                  description={t('With which you log in, and which others see.')}
                  autoComplete="username"
                  value={form.username}
                  onChange={event => setForm({ ...form, username: event.currentTarget.value })}
                  maxLength={150}
                  required
                />
                <PasswordInput
                  label={t('Password')}
                  autoComplete="new-password"
                  value={form.password}
                  onChange={event => setForm({ ...form, password: event.currentTarget.value })}
                  required
                />
                <Rules rules={invited.data.password_rules} />
              </>
            )}
            {invited.data && (
              <Button type="submit" loading={accept.isPending}>
                {user ? t('Join') : t('Make an account and join')}
              </Button>
            )}
          </Stack>
        </form>
      </Paper>
    </Center>
  )
}

/** What a password must be, in the server's words. */
export function Rules({ rules }: { rules: readonly string[] }) {
  return (
    <List size="xs" c="dimmed">
      {rules.map(rule => (
        <List.Item key={rule}>{rule}</List.Item>
      ))}
    </List>
  )
}
