import { t } from '@/shared/i18n'
import { ApiError, answer, api } from './client'
import { loginExpired } from './signal'

/**
 * The answer to a request of this person's. What a stranger would be told may only mean that somebody else has logged in
 * since, in another tab: then the work waits until its maker is back.
 */
export async function mine<T>(user: string, asked: Parameters<typeof answer<T>>[0]): Promise<T> {
  try {
    return await answer(asked)
  } catch (error) {
    if (!(error instanceof ApiError && [403, 404].includes(error.status))) throw error
    const { user: now } = await answer(api.GET('/api/session/'))
    if (now?.id === user) throw error
    loginExpired.set(true)
    throw new ApiError(401, 'not_logged_in', t('Somebody else is logged in in this browser.'))
  }
}
