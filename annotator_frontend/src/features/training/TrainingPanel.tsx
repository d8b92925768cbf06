import { Accordion, Button, Divider, Table, Text, UnstyledButton } from '@mantine/core'
import { useState } from 'react'
import { t } from '@/shared/i18n'
import { Section } from '@/shared/ui/Section'
import { masksInWords, when } from '@/shared/ui/words'
import { DetectorPart } from './DetectorPart'
import { Outcome, UNFINISHED } from './Outcome'
import { GateRuleForm, PolicyForm } from './PolicyForm'
import { useTrainingRuns } from './queries'
import { RetrainDialog } from './RetrainDialog'
import { RunView } from './RunView'

interface TrainingPanelProps {
  dataset: string
  isAdmin: boolean
}

/** Retrain, and what the gate decided. */
export function TrainingPanel({ dataset, isAdmin }: TrainingPanelProps) {
  const runs = useTrainingRuns(dataset)
  const [isAsking, setIsAsking] = useState(false)
  const [chosen, setChosen] = useState<string | null>(null)
  const newest = runs.data?.[0]
  const shown = runs.data?.find(({ id }) => id === chosen) ?? newest
  const older = runs.data?.filter(run => run !== shown) ?? []
  const isRunning = newest !== undefined && UNFINISHED.includes(newest.state)
  return (
    <Section
      title={t('Retraining')}
      about={t(
        'The model learns from every mask so far, and takes over only if it is better on the test photos.',
      )}
      action={
        isAdmin && (
          <Button onClick={() => setIsAsking(true)} disabled={isRunning}>
            {t('Retrain')}
          </Button>
        )
      }
    >
      {shown ? (
        <RunView run={shown} dataset={dataset} isAdmin={isAdmin} />
      ) : (
        <Text c="dimmed" size="sm">
          {t('Not trained yet.')}
        </Text>
      )}
      {older.length > 0 && (
        <Table verticalSpacing={4} fz="sm">
          <Table.Tbody>
            {older.map(run => (
              <Table.Tr key={run.id}>
                <Table.Td>
                  <UnstyledButton fz="sm" td="underline" onClick={() => setChosen(run.id)}>
                    {when(run.created_at)}
                  </UnstyledButton>
                </Table.Td>
                <Table.Td>{masksInWords(run.mask_count)}</Table.Td>
                <Table.Td>
                  <Outcome run={run} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {isAdmin && <PolicyForm dataset={dataset} />}
      {isAdmin && (
        <Accordion variant="contained">
          <Accordion.Item value="gate">
            <Accordion.Control>{t('The gate’s rule')}</Accordion.Control>
            <Accordion.Panel>
              <GateRuleForm dataset={dataset} />
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
      )}
      <Divider />
      <DetectorPart dataset={dataset} isAdmin={isAdmin} />
      {isAsking && <RetrainDialog dataset={dataset} onClose={() => setIsAsking(false)} />}
    </Section>
  )
}
