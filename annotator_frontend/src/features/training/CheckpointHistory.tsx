import { Badge, Button, Group, Table, Text } from '@mantine/core'
import { Link } from 'react-router'
import { fixed, t, text } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { photosInWords, when } from '@/shared/ui/words'
import { type Checkpoint, useCheckpoints, useRollBack } from './queries'

const SHOWN = [
  ['1', text('1 click')],
  ['3', text('3 clicks')],
  ['5', text('5 clicks')],
] as const

/** Which models served this dataset, and how good each was on the test photos. */
export function CheckpointHistory({ dataset, isAdmin }: { dataset: string; isAdmin: boolean }) {
  const checkpoints = useCheckpoints(dataset)
  const rollBack = useRollBack(dataset)
  const all = [...(checkpoints.data ?? [])].sort((a, b) => a.created_at.localeCompare(b.created_at))
  const before = all.find(checkpoint => checkpoint.is_before)
  return (
    <Section
      title={t('Models')}
      about={t(
        'Mean IoU on the human masks of the test photos that there were. Side by side models are measured on the same ones.',
      )}
      action={
        all.length > 1 && (
          <Group gap="xs">
            <Button component={Link} to={`/datasets/${dataset}/compare`} variant="default">
              {t('Side by side')}
            </Button>
            {isAdmin && before && (
              <Button
                variant="default"
                loading={rollBack.isPending}
                onClick={() => rollBack.mutate(before.id, { onError: tellError })}
              >
                {t('Roll back to {{model}}', { model: before.name })}
              </Button>
            )}
          </Group>
        )
      }
    >
      <Table verticalSpacing={6} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Model')}</Table.Th>
            {SHOWN.map(([clicks, name]) => (
              <Table.Th key={clicks} ta="right" style={{ whiteSpace: 'nowrap' }}>
                {t(name)}
              </Table.Th>
            ))}
            <Table.Th ta="right">{t('Measured on')}</Table.Th>
            <Table.Th visibleFrom="sm">{t('Made')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {all.toReversed().map(checkpoint => (
            <Table.Tr key={checkpoint.id}>
              <Table.Td>
                <Group gap="xs" wrap="nowrap">
                  <Text size="sm">{checkpoint.name}</Text>
                  {isLive(checkpoint) && (
                    <Badge size="sm" color="teal" variant="light" style={{ flex: 'none' }}>
                      {t('Live')}
                    </Badge>
                  )}
                </Group>
              </Table.Td>
              {SHOWN.map(([clicks]) => (
                <Table.Td key={clicks} ta="right">
                  {scoreOf(checkpoint, clicks)}
                </Table.Td>
              ))}
              <Table.Td ta="right" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
                {checkpoint.scores?.test ? photosInWords(checkpoint.scores.test.images) : '–'}
              </Table.Td>
              <Table.Td c="dimmed" visibleFrom="sm">
                {when(checkpoint.created_at)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  )
}

function scoreOf(checkpoint: Checkpoint, clicks: string): string {
  const score = checkpoint.scores?.test?.miou[clicks]
  return score == null ? '–' : fixed(score, 3)
}

function isLive(checkpoint: Checkpoint): boolean {
  return checkpoint.deployments.some(({ until, role }) => until === null && role === 'live')
}
