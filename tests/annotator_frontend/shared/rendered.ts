import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createElement, type ReactElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { MemoryRouter } from 'react-router'

/**
 * What the page shows first, as HTML, where the server has answered already.
 *
 * @param known answers by their query keys.
 * @param failure why asking for all of these again failed.
 */
export function rendered(
  element: ReactElement,
  known: readonly (readonly [key: readonly unknown[], answer: unknown])[] = [],
  address = '/',
  failure: Error | null = null,
): string {
  const queries = new QueryClient()
  for (const [key, answer] of known) queries.setQueryData(key, answer)
  if (failure) for (const query of queries.getQueryCache().getAll()) query.setState({ status: 'error', error: failure })
  const routed = createElement(MemoryRouter, { initialEntries: [address] }, element)
  const styled = createElement(MantineProvider, { env: 'test' }, routed)
  return renderToStaticMarkup(createElement(QueryClientProvider, { client: queries }, styled))
}
