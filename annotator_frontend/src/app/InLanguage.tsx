import { Fragment, type ReactNode, useEffect, useState } from 'react'
import { useCurrentUser } from '@/shared/api/useCurrentUser'
import { type Language, languageFor, speak } from '@/shared/i18n'

/** Everything in the person's language, or else the browser's. In another one the page is drawn anew. */
export function InLanguage({ children }: { children: ReactNode }) {
  const { data: user, isPending } = useCurrentUser()
  const wanted = languageFor(user?.preferences.language, navigator.languages)
  const [spoken, setSpoken] = useState<Language | null>(null)
  useEffect(() => {
    if (isPending) return
    let isCurrent = true
    // A catalogue that cannot be fetched: English, rather than nothing.
    void speak(wanted)
      .catch(() => speak('en'))
      .then(() => isCurrent && setSpoken(wanted))
    return () => {
      isCurrent = false
    }
  }, [wanted, isPending])
  return spoken && <Fragment key={spoken}>{children}</Fragment>
}
