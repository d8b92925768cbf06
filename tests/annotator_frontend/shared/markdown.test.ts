import { MantineProvider } from '@mantine/core'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, test } from 'vitest'
import { isWeb, Markdown } from '@/shared/ui/Markdown'

const html = (text: string) =>
  renderToStaticMarkup(createElement(MantineProvider, null, createElement(Markdown, { text })))

test('guidelines may have headings, lists, emphasis, tables and links', () => {
  const made = html('# Cars\n\n* **whole**\n* a `door`\n\n|a|b|\n|-|-|\n|1|2|\n\nsee [this](https://example.org/x?a=1&b=2)')
  expect(made).toMatch(/<h2[^>]*>Cars<\/h2>/)
  expect(made).toMatch(/<strong>whole<\/strong>/)
  expect(made).toMatch(/<td[^>]*>2<\/td>/)
  expect(made).toContain('href="https://example.org/x?a=1&amp;b=2"')
  expect(made).toContain('rel="noopener noreferrer"')
})

test('what somebody hides in them is shown as the text that it is', () => {
  const made = html(
    '<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n[a](javascript:alert(1)) [b](data:text/html,x)\n\n![c](https://example.org/pixel.gif)',
  )
  expect(made).not.toMatch(/<script|<img|href="(javascript|data)/)
  expect(made).toContain('&lt;script&gt;')
  expect(made).toContain('href="https://example.org/pixel.gif"') // a link: nothing is fetched by itself
})

test('signs that Markdown escapes are themselves', () => {
  expect(html('a < b & c \\* d &amp; e')).toContain('a &lt; b &amp; c * d &amp; e')
})

test('addresses lead to the web only', () => {
  expect(['https://a.b', 'mailto:a@b.c'].map(isWeb)).toEqual([true, true])
  expect(['javascript:1', 'JaVaScRiPt:1', ' javascript:1', '/api/session/', 'file:///etc', 'x'].map(isWeb)).toEqual(
    Array(6).fill(false),
  )
})
