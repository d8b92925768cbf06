import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'
import { tellError } from '@/shared/ui/notify'

export type AutolabelRun = Schemas['AutolabelRunJson']
export type Selection = Schemas['SelectionFormRequest']
export type Limits = Schemas['ThresholdsForm']
export type Preview = Schemas['PreviewJson']
export type Prompts = Schemas['ThresholdsJson']['prompts']

const at = (dataset: string) => ({ params: { path: { dataset_id: dataset } } })
const of = (run: string) => ({ params: { path: { run_id: run } } })

export function useRuns(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'autolabel-runs'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/autolabel-runs/', at(dataset))),
  })
}

export function useThresholds(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'thresholds'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/thresholds/', at(dataset))),
  })
}

/** Whether a detector is being trained: the server chooses thresholds when it is ready, with its boxes. */
export function useIsDetectorAwaited(dataset: string): boolean {
  const { data } = useQuery({
    queryKey: ['dataset', dataset, 'detector-runs'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/detector-runs/', at(dataset))),
  })
  return data?.some(({ state }) => state === 'waiting' || state === 'training') ?? false
}

export function useSelection(dataset: string, selection: Selection) {
  return useQuery({
    queryKey: ['dataset', dataset, 'autolabel-selection', selection],
    queryFn: () =>
      answer(
        api.GET('/api/datasets/{dataset_id}/autolabel-selection/', {
          params: { path: { dataset_id: dataset }, query: selection },
        }),
      ),
  })
}

export function usePreview(dataset: string, run: string | null) {
  return useQuery({
    queryKey: ['dataset', dataset, 'autolabel-preview', run],
    queryFn: () => answer(api.GET('/api/autolabel-runs/{run_id}/preview/', of(run!))),
    enabled: run !== null,
  })
}

function useChange<Input, Output>(dataset: string, ask: (input: Input) => Promise<Output>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ask,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
    onError: tellError,
  })
}

export function useStart(dataset: string) {
  return useChange(dataset, (body: Schemas['AutolabelFormRequest']) =>
    answer(api.POST('/api/datasets/{dataset_id}/autolabel-runs/', { ...at(dataset), body })),
  )
}

export function useStartPreview(dataset: string) {
  return useChange(dataset, (body: Schemas['PreviewFormRequest']) =>
    answer(api.POST('/api/datasets/{dataset_id}/autolabel-previews/', { ...at(dataset), body })),
  )
}

export function useCalibrate(dataset: string) {
  return useChange(dataset, (precision: number) =>
    answer(api.POST('/api/datasets/{dataset_id}/thresholds/', { ...at(dataset), body: { precision } })),
  )
}

export type Order = 'pause' | 'resume' | 'cancel' | 'retry'

export function useOrder(dataset: string) {
  return useChange(dataset, ({ run, order }: { run: string; order: Order }) => {
    if (order === 'pause') return answer(api.POST('/api/autolabel-runs/{run_id}/pause/', of(run)))
    if (order === 'resume') return answer(api.POST('/api/autolabel-runs/{run_id}/resume/', of(run)))
    if (order === 'retry') return answer(api.POST('/api/autolabel-runs/{run_id}/retry/', of(run)))
    return answer(api.POST('/api/autolabel-runs/{run_id}/cancel/', of(run)))
  })
}
