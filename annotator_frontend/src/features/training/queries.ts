import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, api, type Schemas } from '@/shared/api/client'

export type TrainingRun = Schemas['TrainingRunJson']
export type DetectorRun = Schemas['DetectorRunJson']
export type Checkpoint = Schemas['CheckpointJson']
export type Policy = Schemas['PolicyJson']
export type GateRule = Schemas['GateRuleJson']

const at = (dataset: string) => ({ params: { path: { dataset_id: dataset } } })

export function useTrainingRuns(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'training-runs'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/training-runs/', at(dataset))),
  })
}

export function useDetectorRuns(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'detector-runs'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/detector-runs/', at(dataset))),
  })
}

export function useCheckpoints(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'checkpoints'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/checkpoints/', at(dataset))),
  })
}

export function usePolicy(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'policy'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/retrain-policy/', at(dataset))),
  })
}

export type Side = Schemas['SideJson']

export function useComparison(dataset: string, chosen: { left?: string; right?: string }) {
  return useQuery({
    // Among the checkpoints, because what changes those changes this.
    queryKey: ['dataset', dataset, 'checkpoints', 'compared', chosen],
    queryFn: () =>
      answer(
        api.GET('/api/datasets/{dataset_id}/compare/', {
          params: { path: { dataset_id: dataset }, query: chosen },
        }),
      ),
    placeholderData: keepPreviousData,
  })
}

function useDatasetMutation<Input>(dataset: string, ask: (input: Input) => Promise<unknown>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ask,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['dataset', dataset] }),
  })
}

export function useRetrain(dataset: string) {
  return useDatasetMutation(dataset, (body: Schemas['TrainingRunFormRequest']) =>
    answer(api.POST('/api/datasets/{dataset_id}/training-runs/', { ...at(dataset), body })),
  )
}

export function useCancelTraining(dataset: string) {
  return useDatasetMutation(dataset, (run: string) =>
    answer(api.POST('/api/training-runs/{run_id}/cancel/', { params: { path: { run_id: run } } })),
  )
}

export function useTrainDetector(dataset: string) {
  return useDatasetMutation(dataset, () =>
    answer(api.POST('/api/datasets/{dataset_id}/detector-runs/', at(dataset))),
  )
}

export function useCancelDetector(dataset: string) {
  return useDatasetMutation(dataset, (run: string) =>
    answer(api.POST('/api/detector-runs/{run_id}/cancel/', { params: { path: { run_id: run } } })),
  )
}

export function useDeploy(dataset: string) {
  return useDatasetMutation(dataset, (checkpoint: string) =>
    answer(api.POST('/api/datasets/{dataset_id}/deployments/', { ...at(dataset), body: { checkpoint } })),
  )
}

export function useRollBack(dataset: string) {
  return useDatasetMutation(dataset, (checkpoint: string) =>
    answer(api.POST('/api/datasets/{dataset_id}/rollback/', { ...at(dataset), body: { checkpoint } })),
  )
}

export function useSetPolicy(dataset: string) {
  return useDatasetMutation(dataset, (body: Schemas['PatchedPolicyJsonRequest']) =>
    answer(api.PATCH('/api/datasets/{dataset_id}/retrain-policy/', { ...at(dataset), body })),
  )
}

export function useGateRule(dataset: string) {
  return useQuery({
    queryKey: ['dataset', dataset, 'gate-rule'],
    queryFn: () => answer(api.GET('/api/datasets/{dataset_id}/gate-rule/', at(dataset))),
  })
}

export function useSetGateRule(dataset: string) {
  return useDatasetMutation(dataset, (body: Schemas['PatchedGateRuleJsonRequest']) =>
    answer(api.PATCH('/api/datasets/{dataset_id}/gate-rule/', { ...at(dataset), body })),
  )
}
