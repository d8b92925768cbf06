import { t } from '@/shared/i18n'
import type { Dataset } from './queries'

/** The three stages of the data engine, in words. */
export function stageName(stage: Dataset['stage']): string {
  return { assisted: t('Assisted'), semi_automatic: t('Semi-automatic'), automatic: t('Automatic') }[stage]
}
