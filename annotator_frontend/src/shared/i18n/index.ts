import i18next from 'i18next'
import english from './en.json'

/**
 * Every text that a person reads goes through `t`. The English text is its own key, as in gettext, so code reads as the page
 * does; a catalogue holds what differs: `en.json` only the plurals. A number that changes the words is called `count`.
 */
void i18next.init({
  lng: 'en',
  fallbackLng: 'en',
  resources: { en: { translation: english } },
  keySeparator: false,
  nsSeparator: false,
  interpolation: { escapeValue: false }, // React escapes
  initAsync: false,
})

export function t(text: string, values: Record<string, unknown> = {}): string {
  return i18next.t(text, values)
}
