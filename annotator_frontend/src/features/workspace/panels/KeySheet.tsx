import { Kbd, Modal, Table, Text } from '@mantine/core'
import { SHEET } from '../keys'

export function KeySheet({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Keys" size="lg" centered>
      <Table verticalSpacing={6}>
        <Table.Tbody>
          {SHEET.map(([keys, meaning]) => (
            <Table.Tr key={keys}>
              <Table.Td w="45%">
                <Kbd>{keys}</Kbd>
              </Table.Td>
              <Table.Td>
                <Text size="sm">{meaning}</Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  )
}
