import { NativeSelect } from '@mantine/core'
import { usePreferences } from '@/shared/api/usePreferences'
import { LANGUAGES, languageFor, t } from '@/shared/i18n'

export function LanguageChoice() {
  const [{ language }, change] = usePreferences()
  return (
    <NativeSelect
      size="xs"
      aria-label={t('Language')}
      value={languageFor(language, navigator.languages)}
      onChange={event => change({ language: event.currentTarget.value })}
      data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
    />
  )
}
