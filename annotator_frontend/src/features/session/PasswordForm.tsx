import { Button, Group, PasswordInput, Stack } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { answer, api } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { tell, tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { Rules } from './JoinPage'

/** One's own password. */
export function PasswordForm() {
  const [form, setForm] = useState({ current: '', new: '' })
  const rules = useQuery({
    queryKey: ['password-rules'],
    queryFn: () => answer(api.GET('/api/me/password/')),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const change = useMutation({
    mutationFn: () => answer(api.POST('/api/me/password/', { body: form })),
    onSuccess: () => {
      setForm({ current: '', new: '' })
      tell(t('Password changed.'))
    },
    onError: tellError,
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <Section
      title={t('Password')}
      about={t('Other browsers are logged out when it changes, and scripts need a new token.')}
    >
      <form onSubmit={onSubmit}>
        <Stack gap="md" maw={420}>
          <PasswordInput
            label={t('Current password')}
            autoComplete="current-password"
            value={form.current}
            onChange={event => setForm({ ...form, current: event.currentTarget.value })}
            required
          />
          <PasswordInput
            label={t('New password')}
            autoComplete="new-password"
            value={form.new}
            onChange={event => setForm({ ...form, new: event.currentTarget.value })}
            required
          />
          <Rules rules={rules.data?.rules ?? []} />
          <Group>
            <Button type="submit" loading={change.isPending}>
              {t('Change password')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  )
}
