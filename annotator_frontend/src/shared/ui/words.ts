/** 1 photo, 2 photos. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`
}

export function bytes(number: number): string {
  if (number < 1000) return `${number} B`
  if (number < 1e6) return `${(number / 1e3).toFixed(0)} kB`
  return number < 1e9 ? `${(number / 1e6).toFixed(1)} MB` : `${(number / 1e9).toFixed(2)} GB`
}

export function seconds(number: number): string {
  if (number < 90) return `${Math.round(number)} s`
  return number < 5400 ? `${Math.round(number / 60)} min` : `${(number / 3600).toFixed(1)} h`
}

export function when(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}
