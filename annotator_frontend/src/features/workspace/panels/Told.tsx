import type { ReactNode } from 'react'

/** What a screen reader reads when it comes. The region is there before its words are: one that comes with them is often not read. */
export function Told({ children }: { children: ReactNode }) {
  return <div role="status">{children}</div>
}
