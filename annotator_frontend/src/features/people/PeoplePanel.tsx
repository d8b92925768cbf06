import { Button, Group, Modal, Select, Stack, Table, Text, TextInput, VisuallyHidden } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useNavigate } from 'react-router'
import { useCurrentUser } from '@/shared/api/useCurrentUser'
import { t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { JobsOf, jobsInWords } from './JobsOf'
import { type Member, type Role, useLeave, useMembers, useRemoveMember, useSetMember } from './queries'
import { roleName } from './roles'

const ROLES: Role[] = ['annotator', 'reviewer', 'admin']

interface PeoplePanelProps {
  dataset: string
  isAdmin: boolean
}

/** Who works on a dataset, and what each may do. */
export function PeoplePanel({ dataset, isAdmin }: PeoplePanelProps) {
  const members = useMembers(dataset)
  const set = useSetMember(dataset)
  const [leaving, setLeaving] = useState<Member | null>(null)
  return (
    <Section
      title={t('People')}
      about={t(
        'Annotators label. Reviewers also judge masks. Admins also import, train, release and invite.',
      )}
    >
      <Table verticalSpacing="xs" maw={960}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Name')}</Table.Th>
            <Table.Th w={180}>{t('Role')}</Table.Th>
            <Table.Th>{t('Works on')}</Table.Th>
            {isAdmin && (
              <Table.Th w={120}>
                <VisuallyHidden>{t('Remove')}</VisuallyHidden>
              </Table.Th>
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {members.data?.map(member => (
            <Table.Tr key={member.user}>
              <Table.Td>{member.username}</Table.Td>
              <Table.Td>
                {isAdmin ? (
                  <RoleSelect
                    label={t('Role of {{name}}', { name: member.username })}
                    role={member.role}
                    onChange={role => set.mutate({ username: member.username, role }, { onError: tellError })}
                  />
                ) : (
                  roleName(member.role)
                )}
              </Table.Td>
              <Table.Td>
                {isAdmin ? <JobsOf dataset={dataset} member={member} /> : jobsInWords(member)}
              </Table.Td>
              {isAdmin && (
                <Table.Td ta="right">
                  <Button
                    size="compact-sm"
                    variant="default"
                    onClick={() => setLeaving(member)}
                    aria-label={t('Remove {{name}}', { name: member.username })}
                  >
                    {t('Remove')}
                  </Button>
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {isAdmin && <AddMember dataset={dataset} />}
      <Leave dataset={dataset} />
      <Removal dataset={dataset} member={leaving} onClose={() => setLeaving(null)} />
    </Section>
  )
}

interface RoleSelectProps {
  label: string
  role: Role
  onChange: (role: Role) => void
  isLabelShown?: boolean
}

export function RoleSelect({ label, role, onChange, isLabelShown = false }: RoleSelectProps) {
  return (
    <Select
      {...(isLabelShown ? { label } : { 'aria-label': label })}
      size="sm"
      w={160}
      allowDeselect={false}
      data={ROLES.map(value => ({ value, label: roleName(value) }))}
      value={role}
      onChange={value => value && onChange(value as Role)}
    />
  )
}

function AddMember({ dataset }: { dataset: string }) {
  const set = useSetMember(dataset)
  const [username, setUsername] = useState('')
  const [role, setRole] = useState<Role>('annotator')
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    set.mutate({ username, role }, { onSuccess: () => setUsername(''), onError: tellError })
  }
  return (
    <form onSubmit={onSubmit}>
      <Group align="flex-end">
        <TextInput
          label={t('Add somebody who has an account')}
          placeholder={t('User name')}
          value={username}
          onChange={event => setUsername(event.currentTarget.value)}
          w={320}
          required
        />
        <RoleSelect label={t('As')} role={role} onChange={setRole} isLabelShown />
        <Button type="submit" loading={set.isPending}>
          {t('Add')}
        </Button>
      </Group>
    </form>
  )
}

/** One's own way out. */
function Leave({ dataset }: { dataset: string }) {
  const { data: user } = useCurrentUser()
  const [isAsked, setAsked] = useState(false)
  const navigate = useNavigate()
  const leave = useLeave(dataset, () => void navigate('/'))
  if (!user) return null
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={() => setAsked(true)}>
        {t('Leave this dataset')}
      </Button>
      <Modal
        opened={isAsked}
        onClose={() => setAsked(false)}
        title={t('Leave this dataset?')}
        centered
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        <Stack>
          <Text size="sm">
            {t('You will not see it any more, until one of its admins adds you again. Your masks stay.')}
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsked(false)}>
              {t('Cancel')}
            </Button>
            <Button
              color="red"
              loading={leave.isPending}
              onClick={() => leave.mutate(user.id, { onError: tellError })}
            >
              {t('Leave')}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}

interface RemovalProps {
  dataset: string
  member: Member | null
  onClose: () => void
}

function Removal({ dataset, member, onClose }: RemovalProps) {
  const remove = useRemoveMember(dataset)
  return (
    <Modal
      opened={member !== null}
      onClose={onClose}
      title={t('Remove {{name}}?', { name: member?.username ?? '' })}
      centered
    >
      <Stack>
        <Text size="sm">{t('They will not see this dataset any more. Their masks stay.')}</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('Cancel')}
          </Button>
          <Button
            color="red"
            loading={remove.isPending}
            onClick={() => member && remove.mutate(member.user, { onSuccess: onClose, onError: tellError })}
          >
            {t('Remove')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
