import { MantineProvider, Modal } from '@mantine/core'
import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { theme } from '@/app/theme'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

test('the button that closes a dialog has a name in the page’s language', async () => {
  const named = () => {
    const dialog = createElement(Modal, { opened: true, withinPortal: false, title: 'Keys', onClose: () => {} })
    return rendered(createElement(MantineProvider, { theme, env: 'test' }, dialog)).match(/aria-label="([^"]*)"/)?.[1]
  }
  expect(named()).toBe('Close')
  await speak('de')
  expect(named()).toBe('Schließen')
})
