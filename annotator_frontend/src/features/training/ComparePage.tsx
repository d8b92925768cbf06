import {
  Alert,
  Badge,
  Button,
  Center,
  Group,
  Loader,
  NativeSelect,
  Paper,
  SimpleGrid,
  Stack,
  Text,
} from '@mantine/core'
import { useEffect, useRef } from 'react'
import { useSearchParams } from 'react-router'
import { t } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { masksInWords, photosInWords, when } from '@/shared/ui/words'
import { FiguresBeside } from './FiguresBeside'
import { type Checkpoint, type Side, useCheckpoints, useComparison, useDeploy, useRollBack } from './queries'
import { decisionInWords } from './words'

/** Two checkpoints side by side: where each comes from, and the gate's figures of both. Which two is in the address. */
export function ComparePage({ dataset, isAdmin }: { dataset: string; isAdmin: boolean }) {
  const [search, setSearch] = useSearchParams()
  const chosen = { left: search.get('left') ?? undefined, right: search.get('right') ?? undefined }
  // What was chosen since the address was last read: a second choice may come before the first one is in it.
  const asked = useRef<{ left?: string; right?: string }>({})
  useEffect(() => {
    if (search) asked.current = {}
  }, [search])
  const compared = useComparison(dataset, chosen)
  const checkpoints = useCheckpoints(dataset).data ?? []
  const failure = compared.error && <Alert color="gray">{compared.error.message}</Alert>
  if (!compared.data) {
    if (failure) return failure
    return (
      <Center h={300}>
        <Loader aria-label={t('Loading')} />
      </Center>
    )
  }
  const { left, right, test, holdout } = compared.data
  // While the answer about a choice is on its way, the figures are still of those before.
  const wanted = { left: chosen.left ?? left.id, right: chosen.right ?? right.id }
  const choose = (side: 'left' | 'right') => (id: string) => {
    asked.current = { ...asked.current, [side]: id }
    setSearch({ ...wanted, ...asked.current }, { replace: true })
  }
  const own = { dataset, isAdmin, checkpoints }
  return (
    <Stack gap="md">
      {failure}
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
        <SideCard {...own} label={t('Left')} side={left} chosen={wanted.left} onChoose={choose('left')} />
        <SideCard {...own} label={t('Right')} side={right} chosen={wanted.right} onChoose={choose('right')} />
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xl: 2 }} spacing="md">
        <Section
          title={t('On the test photos')}
          about={t('The gate decides by these. Differences are right minus left, with 95% intervals.')}
        >
          <FiguresBeside left={left.name} right={right.name} on={test} />
        </Section>
        <Section
          title={t('On the holdout photos')}
          about={t('The gate never looks at these: they show whether it fools itself.')}
        >
          <FiguresBeside left={left.name} right={right.name} on={holdout} />
        </Section>
      </SimpleGrid>
    </Stack>
  )
}

interface SideCardProps {
  dataset: string
  isAdmin: boolean
  checkpoints: readonly Checkpoint[]
  label: string
  side: Side
  /** Which one it is to be; `side` is still another until its figures are there. */
  chosen: string
  onChoose: (id: string) => void
}

/** Which checkpoint, and how it came about. */
function SideCard({ dataset, isAdmin, checkpoints, label, side, chosen, onChoose }: SideCardProps) {
  const { run } = side
  const parent = checkpoints.find(({ id }) => id === side.went_on_from)
  return (
    <Paper component="section" aria-label={label} withBorder p="md">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Group gap="xs">
          <NativeSelect
            aria-label={label}
            value={chosen}
            onChange={event => onChoose(event.currentTarget.value)}
            data={checkpoints.map(({ id, name }) => ({ value: id, label: name }))}
          />
          {side.is_live && (
            <Badge color="teal" variant="light">
              {t('Live')}
            </Badge>
          )}
          {run?.decision && <Badge {...decisionInWords(run.decision)} variant="light" />}
        </Group>
        {isAdmin && !side.is_live && (
          <MakeLive
            dataset={dataset}
            checkpoint={side.id}
            isBefore={checkpoints.some(({ id, is_before }) => is_before && id === side.id)}
            isDisabled={side.id !== chosen}
          />
        )}
      </Group>
      <Text size="sm" c="dimmed" mt="xs">
        {run
          ? t('Learnt from {{masks}} on {{photos}}, {{when}}.', {
              masks: masksInWords(run.masks),
              photos: photosInWords(run.photos),
              when: when(side.created_at),
            })
          : t('It was not trained here; known since {{when}}.', { when: when(side.created_at) })}{' '}
        {parent && t('It went on from {{name}}.', { name: parent.name })}
      </Text>
      {run && (
        <Text size="xs" c="dimmed" mt={4}>
          {t('Recipe {{recipe}}, seed {{seed}}', { recipe: run.recipe, seed: run.seed })}
          {'. '}
          {t('Frozen set {{digest}}', { digest: run.digest.slice(0, 12) })}
          {'. '}
          {said(run.why)}
        </Text>
      )}
    </Paper>
  )
}

interface MakeLiveProps {
  dataset: string
  checkpoint: string
  isBefore: boolean
  isDisabled: boolean
}

/** By its name, also where it is the one before: which that is may have changed since the page was drawn. */
function MakeLive({ dataset, checkpoint, isBefore, isDisabled }: MakeLiveProps) {
  const [deploy, rollBack] = [useDeploy(dataset), useRollBack(dataset)]
  const chosen = isBefore ? rollBack : deploy
  return (
    <Button
      size="compact-sm"
      variant="default"
      disabled={isDisabled}
      loading={chosen.isPending}
      onClick={() => chosen.mutate(checkpoint, { onError: tellError })}
    >
      {isBefore ? t('Roll back to this') : t('Make live')}
    </Button>
  )
}
