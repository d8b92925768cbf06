import type { Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'

/** What there is to do for people, in the order in which a photo goes through it. */
export function jobNames(): Record<Schemas['Job'], string> {
  return {
    annotate: t('Draw'),
    verify: t('Verify'),
    correct: t('Correct'),
    complete: t('Complete'),
    audit: t('Audit'),
  }
}
