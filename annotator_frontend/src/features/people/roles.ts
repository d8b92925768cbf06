import { t } from '@/shared/i18n'
import type { Role } from './queries'

export function roleName(role: Role): string {
  return { annotator: t('Annotator'), reviewer: t('Reviewer'), admin: t('Admin') }[role]
}
