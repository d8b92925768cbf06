import { text } from '@/shared/i18n'
import type { Assignment } from './photoShelf'

type StoredMask = Assignment['masks'][number]

/** What a job is about: the masks to begin with, those that are not to be touched, and what the person is to do. */
export const JOBS: Partial<
  Record<
    Assignment['job'],
    { isWanted?: (mask: StoredMask) => boolean; isLocked?: (mask: StoredMask) => boolean; says: string }
  >
> = {
  complete: {
    isLocked: () => true,
    says: text('draw what is missing, then submit the photo as complete'),
  },
  correct: {
    isWanted: ({ state }) => state === 'faulty',
    says: text('correct or remove the masks that were found faulty'),
  },
  audit: {
    isWanted: mask => mask.audit_wanted,
    isLocked: mask => !mask.audit_wanted,
    says: text('make the masks that are not dimmed as right as you can; submit them as they are if they are'),
  },
}
