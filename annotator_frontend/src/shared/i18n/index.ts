import i18next from 'i18next'
import english from './en.json'

/** The languages of the page, each by its own name. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof LANGUAGES

/**
 * Every text that a person reads goes through `t`. The English text is its own key, as in gettext, so code reads as the page
 * does; a catalogue holds what differs: `en.json` only the plurals. A number that changes the words is called `count`.
 * `tests/checks.py` finds texts that go around it, and those that a catalogue lacks.
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
  const replace = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'number' ? number(value) : value]),
  )
  // The number itself decides on the plural; what is written is the number as the language writes it.
  return i18next.t(text, 'count' in values ? { count: values.count as number, replace } : { replace })
}

/** A text that is put through `t` where it is shown: for tables that are made before there is a language. */
export function text<Text extends string>(english: Text): Text {
  return english
}

/** A person's own language if the page has it, or the first of the browser's that it has. */
export function languageFor(own: string | null | undefined, browsers: readonly string[]): Language {
  const known = [own ?? '', ...browsers].map(name => name.split('-')[0]!)
  return (known.find(name => Object.hasOwn(LANGUAGES, name)) as Language | undefined) ?? 'en'
}

/** From here on `t` speaks this language. What is on the page has to be drawn anew. */
export async function speak(language: Language): Promise<void> {
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'translation')) {
    const { default: catalogue } = await catalogues[language]()
    i18next.addResourceBundle(language, 'translation', catalogue)
  }
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
}

const catalogues = { de: () => import('./de.json') } satisfies Record<Exclude<Language, 'en'>, unknown>

/** What numbers and dates are written in: the page's language, as the browser's own region writes it where that is the same. */
function locale(): string {
  const own = i18next.language
  return globalThis.navigator?.languages?.find(name => name.split('-')[0] === own) ?? own
}

export function number(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(locale(), options).format(value)
}

/** With so many decimals, always. */
export function fixed(value: number, decimals: number, options: Intl.NumberFormatOptions = {}): string {
  return number(value, { ...options, minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

/** @param share 0 to 1; nothing: a dash. */
export function percent(share: number | null | undefined): string {
  return share == null ? '–' : number(share, { style: 'percent', maximumFractionDigits: 0 })
}

export function dateTime(
  time: string | number | Date,
  options: Intl.DateTimeFormatOptions = { dateStyle: 'medium', timeStyle: 'short' },
): string {
  return new Intl.DateTimeFormat(locale(), options).format(new Date(time))
}
