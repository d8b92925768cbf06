/** A file that is dropped where nothing takes it would open in Maskloop's place: nothing happens instead. */
export function ignoreStrayDrops(): void {
  for (const name of ['dragover', 'drop'] as const) {
    window.addEventListener(name, event => {
      // Whoever takes files has said so by now.
      if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      event.dataTransfer.dropEffect = 'none'
    })
  }
}
