import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { useLocation, useNavigate, useParams } from 'react-router'
import { useDatasetBrief } from '@/features/datasets/queries'
import { VerifyPage } from '@/features/review/VerifyPage'
import type { Schemas } from '@/shared/api/client'
import { tellError } from '@/shared/ui/notify'

export function VerifyScreen({ user }: { user: Schemas['UserJson'] }) {
  const id = useParams().dataset!
  const navigate = useNavigate()
  const queries = useQueryClient()
  const cameFrom = (useLocation().state as { from?: string } | null)?.from
  const { data: dataset } = useDatasetBrief(id)
  const back = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ['dataset', id] })
    void navigate(cameFrom ?? `/datasets/${id}/loop`)
  }, [navigate, queries, id, cameFrom])
  return (
    <VerifyPage dataset={id} title={dataset?.name ?? ''} user={user.id} onBack={back} onError={tellError} />
  )
}
