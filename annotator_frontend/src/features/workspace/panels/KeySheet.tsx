import { Group, Kbd, Modal, Table, Text } from '@mantine/core'
import { t } from '@/shared/i18n'
import { COMMANDS, chordInWords, HANDS } from '../keys'

const ROWS: readonly (readonly [readonly string[], string])[] = [
  ...HANDS.map(([hand, meaning]) => [[hand], meaning] as const),
  ...Object.values(COMMANDS).map(({ chords, label }) => [chords.map(chordInWords), label] as const),
]

export function KeySheet({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={t('Keys')} size="lg" centered>
      <Table verticalSpacing={6}>
        <Table.Tbody>
          {ROWS.map(([keys, meaning]) => (
            <Table.Tr key={meaning}>
              <Table.Td w="45%">
                <Group gap={6}>
                  {keys.map(key => (
                    <Kbd key={key}>{t(key)}</Kbd>
                  ))}
                </Group>
              </Table.Td>
              <Table.Td>
                <Text size="sm">{t(meaning)}</Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  )
}
