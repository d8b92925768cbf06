/** Where a screen reader listens: one polite live region for the page, outside of what React draws. */
let region: HTMLElement | null = null

/** Say what happened, to those who do not see it. */
export function announce(message: string): void {
  if (!region) {
    region = document.createElement('div')
    region.setAttribute('role', 'log')
    region.setAttribute('aria-live', 'polite')
    region.dataset.testid = 'announcements'
    region.className = 'visually-hidden'
    document.body.append(region)
  }
  const line = document.createElement('p')
  line.textContent = message
  region.append(line)
  while (region.childElementCount > 5) region.firstElementChild!.remove()
}
