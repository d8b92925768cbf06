import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createElement, type ReactElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { MemoryRouter } from 'react-router'

/**
 * What the page shows first, as HTML, where the server has answered already.
 *
 * @param known answers by their query keys.
 */
export function rendered(
  element: ReactElement,
  known: readonly (readonly [key: readonly unknown[], answer: unknown])[] = [],
  address = '/',
): string {
  const queries = new QueryClient()
  for (const [key, answer] of known) queries.setQueryData(key, answer)
  const routed = createElement(MemoryRouter, { initialEntries: [address] }, element)
  const styled = createElement(MantineProvider, { env: 'test' }, routed)
  return renderToStaticMarkup(createElement(QueryClientProvider, { client: queries }, styled))
}
