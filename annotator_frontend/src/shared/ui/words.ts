import { dateTime, number, t } from '@/shared/i18n'

/** 1 photo, 2 photos. */
export function photosInWords(count: number): string {
  return t('{{count}} photos', { count })
}

export function masksInWords(count: number): string {
  return t('{{count}} masks', { count })
}

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`
  if (size < 1e6) return `${number(size / 1e3, { maximumFractionDigits: 0 })} kB`
  return size < 1e9 ? `${tenths(size / 1e6)} MB` : `${number(size / 1e9, { maximumFractionDigits: 2 })} GB`
}

export function seconds(long: number): string {
  if (long < 90) return `${Math.round(long)} s`
  return long < 5400 ? `${Math.round(long / 60)} min` : `${tenths(long / 3600)} h`
}

export function when(time: string): string {
  return dateTime(time)
}

function tenths(value: number): string {
  return number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
}
