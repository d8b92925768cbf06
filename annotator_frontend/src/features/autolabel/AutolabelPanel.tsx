import { Alert, Button, Group, Progress, Stack, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'
import { tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { count, seconds } from '@/shared/ui/words'

type AutolabelRun = Schemas['AutolabelRunJson']

interface AutolabelPanelProps {
  dataset: string
  isAdmin: boolean
}

/** Masks for every photo that nobody has labelled. */
export function AutolabelPanel({ dataset, isAdmin }: AutolabelPanelProps) {
  const queries = useQueryClient()
  const params = { path: { dataset_id: dataset } }
  const runs = useQuery({
    queryKey: ['dataset', dataset, 'autolabel-runs'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/autolabel-runs/', { params })),
  })
  const refresh = {
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
    onError: tellError,
  }
  const start = useMutation({
    mutationFn: () => answer(api.POST('/api/datasets/{dataset_id}/autolabel-runs/', { params, body: {} })),
    ...refresh,
  })
  const cancel = useMutation({
    mutationFn: (run: string) =>
      answer(api.POST('/api/autolabel-runs/{run_id}/cancel/', { params: { path: { run_id: run } } })),
    ...refresh,
  })
  const retry = useMutation({
    mutationFn: (run: string) =>
      answer(api.POST('/api/autolabel-runs/{run_id}/retry/', { params: { path: { run_id: run } } })),
    ...refresh,
  })
  const newest = runs.data?.[0]
  return (
    <Section
      title="Automatic labelling"
      about="The live model labels every photo that nobody has labelled. Test photos stay for people."
      action={
        isAdmin && (
          <Button
            onClick={() => start.mutate()}
            loading={start.isPending}
            disabled={newest?.state === 'running'}
          >
            Label automatically
          </Button>
        )
      }
    >
      {newest ? (
        <Run
          run={newest}
          onCancel={() => cancel.mutate(newest.id)}
          onRetry={() => retry.mutate(newest.id)}
          isAdmin={isAdmin}
        />
      ) : (
        <Text c="dimmed" size="sm">
          Not run yet.
        </Text>
      )}
    </Section>
  )
}

interface RunProps {
  run: AutolabelRun
  isAdmin: boolean
  onCancel: () => void
  onRetry: () => void
}

function Run({ run, isAdmin, onCancel, onRetry }: RunProps) {
  const { waiting, done, failed, skipped } = run.counts
  const all = waiting + done + failed + skipped
  return (
    <Stack gap="xs" data-testid="autolabel-run" data-state={run.state}>
      <Progress
        value={all ? (100 * (all - waiting)) / all : 0}
        animated={run.state === 'running'}
        aria-label="Photos labelled"
      />
      <Group justify="space-between">
        <Text size="sm">
          {count(done, 'photo')} of {all}, {count(run.masks, 'mask')}
          {run.state === 'running' && run.seconds_left !== null && `, ${seconds(run.seconds_left)} left`}
          {run.state === 'cancelled' && ', cancelled'}
          {skipped > 0 && `, ${skipped} taken over by people`}
        </Text>
        {run.state === 'running' && isAdmin && (
          <Button size="compact-sm" variant="default" onClick={onCancel}>
            Cancel
          </Button>
        )}
      </Group>
      {failed > 0 && (
        <Alert color="red" title={`${count(failed, 'photo')} failed`}>
          {run.failures.slice(0, 3).map(({ image, file_name, error }) => (
            <Text size="sm" key={image}>
              {file_name}: {error}
            </Text>
          ))}
          {isAdmin && (
            <Button size="compact-sm" variant="default" mt="xs" onClick={onRetry}>
              Try those again
            </Button>
          )}
        </Alert>
      )}
    </Stack>
  )
}
