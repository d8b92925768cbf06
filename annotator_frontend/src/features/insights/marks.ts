import { t } from '@/shared/i18n'
import { comparison } from './links'
import type { Mark } from './queries'

export type MarkKind = Mark['kind']

/** Shapes, so that colour is not all that tells them apart; drawn around (0, 0), 8 wide. */
export const SHAPES: Record<MarkKind, string> = {
  promoted: 'M0 -4.5L4.5 3.5H-4.5Z',
  deployed: 'M-3.5 -3.5H3.5V3.5H-3.5Z',
  refused: 'M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5',
  failed: 'M-3.5 0A3.5 3.5 0 1 1 3.5 0A3.5 3.5 0 1 1 -3.5 0Z',
  cancelled: 'M-4 0H4',
  insufficient_evidence: 'M-4 0H4M0 -4V4',
  stage: 'M0 -5L5 0L0 5L-5 0Z',
}

export function kindInWords(kind: MarkKind): string {
  return {
    promoted: t('Promoted'),
    deployed: t('Made live by hand'),
    refused: t('Refused by the gate'),
    failed: t('Retraining failed'),
    cancelled: t('Retraining cancelled'),
    insufficient_evidence: t('Insufficient evidence'),
    stage: t('Another stage'),
  }[kind]
}

const stageNames: Record<string, () => string> = {
  assisted: () => t('Assisted'),
  semi_automatic: () => t('Semi-automatic'),
  automatic: () => t('Automatic'),
}

export function stageInWords(stage: string): string {
  return stageNames[stage]?.() ?? stage
}

export function markInWords({ kind, stage, checkpoint_name }: Mark): string {
  if (kind === 'stage') return t('Stage: {{stage}}', { stage: stageInWords(stage) })
  return checkpoint_name ? `${kindInWords(kind)}: ${checkpoint_name}` : kindInWords(kind)
}

/** Where what happened can be looked into. */
export function placeOf(dataset: string, { kind, before, checkpoint }: Mark): string {
  if (kind !== 'stage' && before && checkpoint) return comparison(dataset, before, checkpoint)
  return `/datasets/${dataset}/loop`
}
