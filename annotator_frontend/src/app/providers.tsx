import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { BrowserRouter } from 'react-router'
import { ApiError } from '@/shared/api/client'
import { theme } from './theme'

export function Providers({ children }: { children: ReactNode }) {
  const [queries] = useState(makeQueries)
  return (
    <MantineProvider theme={theme} forceColorScheme="dark">
      <Notifications position="bottom-center" />
      <QueryClientProvider client={queries}>
        <BrowserRouter>{children}</BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  )
}

function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 5000, retry: (times, error) => !(error instanceof ApiError) && times < 3 },
    },
  })
}
