import {
  Alert,
  Button,
  CopyButton,
  Group,
  NumberInput,
  Stack,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { answer, api } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { when } from '@/shared/ui/words'
import { RoleSelect } from './PeoplePanel'
import type { Role } from './queries'
import { roleName } from './roles'

/** Links by which people join, with or without an account. Each is for one person, once. */
export function Invitations({ dataset }: { dataset: string }) {
  const params = { path: { dataset_id: dataset } }
  const queries = useQueryClient()
  const key = ['dataset', dataset, 'invitations']
  const refresh = () => queries.invalidateQueries({ queryKey: key })
  const invitations = useQuery({
    queryKey: key,
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/invitations/', { params })),
  })
  const [form, setForm] = useState<{ note: string; role: Role; days: number }>({
    note: '',
    role: 'annotator',
    days: 7,
  })
  const create = useMutation({
    mutationFn: () => answer(api.POST('/api/datasets/{dataset_id}/invitations/', { params, body: form })),
    onSuccess: refresh,
    onError: tellError,
  })
  const withdraw = useMutation({
    mutationFn: (id: string) =>
      answer(api.DELETE('/api/invitations/{invitation_id}/', { params: { path: { invitation_id: id } } })),
    onSuccess: () => {
      create.reset()
      return refresh()
    },
    onError: tellError,
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  return (
    <Section
      title={t('Invitations')}
      about={t('A link makes one person a member. Who has no account makes one with it.')}
    >
      <form onSubmit={onSubmit}>
        <Group align="flex-end">
          <TextInput
            label={t('For whom')}
            placeholder={t('for you to remember')}
            value={form.note}
            onChange={event => setForm({ ...form, note: event.currentTarget.value })}
            maxLength={120}
            w={260}
          />
          <RoleSelect
            label={t('Role')}
            role={form.role}
            onChange={role => setForm({ ...form, role })}
            isLabelShown
          />
          <NumberInput
            label={t('Days it is good for')}
            value={form.days}
            onChange={days => setForm({ ...form, days: Number(days) || 1 })}
            min={1}
            max={30}
            w={150}
          />
          <Button type="submit" loading={create.isPending}>
            {t('Make a link')}
          </Button>
        </Group>
      </form>
      {create.data && <NewLink token={create.data.token} />}
      {invitations.data && invitations.data.length > 0 && (
        <Table verticalSpacing="xs" maw={900} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('For whom')}</Table.Th>
              <Table.Th>{t('Role')}</Table.Th>
              <Table.Th>{t('Invited by')}</Table.Th>
              <Table.Th>{t('Good until')}</Table.Th>
              <Table.Th>
                <VisuallyHidden>{t('Take back')}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {invitations.data.map(({ id, note, role, created_by, expires_at }) => (
              <Table.Tr key={id}>
                <Table.Td>{note || '–'}</Table.Td>
                <Table.Td>{roleName(role)}</Table.Td>
                <Table.Td>{created_by}</Table.Td>
                <Table.Td>{when(expires_at)}</Table.Td>
                <Table.Td ta="right">
                  <Button size="compact-sm" variant="default" onClick={() => withdraw.mutate(id)}>
                    {t('Take back')}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Section>
  )
}

function NewLink({ token }: { token: string }) {
  // Behind the #: browsers send that to nobody, so no log has it.
  const link = `${window.location.origin}/join#${token}`
  return (
    <Alert color="teal" data-testid="new-link">
      <Stack gap="xs">
        <Text size="sm">{t('Send this link to one person. It is shown only now.')}</Text>
        <Group gap="xs" wrap="nowrap">
          <TextInput
            aria-label={t('Link')}
            value={link}
            readOnly
            style={{ flex: 1 }}
            onFocus={event => event.currentTarget.select()}
          />
          <CopyButton value={link}>
            {({ copied, copy }) => (
              <Button variant="default" onClick={copy}>
                {copied ? t('Copied') : t('Copy')}
              </Button>
            )}
          </CopyButton>
        </Group>
      </Stack>
    </Alert>
  )
}
