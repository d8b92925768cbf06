import type { Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'

export function statusNames(): Record<Schemas['ImageJson']['status'], string> {
  return {
    waiting: t('Waiting'),
    open: t('In work'),
    annotated: t('By people'),
    automatic: t('Automatic'),
  }
}

export function statusName(status: Schemas['ImageJson']['status']): string {
  return statusNames()[status]
}

export function originNames(): Record<Schemas['MaskJson']['origin'], string> {
  return {
    assisted: t('Clicks and the model'),
    brush: t('Brush'),
    proposed: t('Proposed by the model'),
    automatic: t('Automatic'),
    imported: t('Imported'),
  }
}

/** Of the dataset, when a mask was made: the rounds of the dashboard have the same. */
export function stageNames(): Record<Schemas['DatasetJson']['stage'], string> {
  return { assisted: t('Assisted'), semi_automatic: t('Semi-automatic'), automatic: t('Automatic') }
}

/** What a mask's origin can be asked to be. */
export function chosenOrigins(): Record<string, string> {
  return { people: t('By people'), drawn: t('Drawn by people'), ...originNames() }
}

export function splitNames(): Record<Schemas['ImageJson']['split'], string> {
  return { train: t('Train'), test: t('Test'), holdout: t('Holdout') }
}

export function sortNames() {
  return {
    oldest: t('Oldest first'),
    newest: t('Newest first'),
    name: t('By name'),
    most_masks: t('Most masks first'),
    least_sure: t('Least sure first'),
  }
}
