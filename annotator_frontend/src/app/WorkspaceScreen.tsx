import { Button, Stack, Text, Title } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useState } from 'react'
import { useNavigate, useParams, useSearchParams } from 'react-router'
import { useDataset } from '@/features/datasets/queries'
import { type Assignment, type Reason, useQueue } from '@/features/queue/useQueue'
import { Outbox } from '@/features/workspace/saving/outbox'
import { journalOf, server } from '@/features/workspace/saving/server'
import { Workspace } from '@/features/workspace/Workspace'
import { answer, api, type Schemas } from '@/shared/api/client'
import { tellError } from '@/shared/ui/notify'

const EMPTY: Record<Reason, string> = {
  nothing_left: 'Every photo is labelled.',
  all_open_elsewhere: 'The photos that are left are with other people right now.',
  too_many_open: 'Too many photos are open at once; close another tab.',
}

/** The queue hands the workspace one photo after the other. */
export default function WorkspaceScreen({ user }: { user: Schemas['UserJson'] }) {
  const id = useParams().dataset!
  const [search] = useSearchParams()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const { data: dataset } = useDataset(id)
  const [outbox] = useState(() => new Outbox(server, journalOf(user.id)))
  const [isResumed, setResumed] = useState(false)
  useEffect(() => {
    void outbox.resume().finally(() => setResumed(true))
    const kick = () => outbox.kick()
    window.addEventListener('online', kick)
    return () => window.removeEventListener('online', kick)
  }, [outbox])

  const { current, next, reason, advance } = useQueue(id, search.get('image'), tellError)
  const back = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ['dataset', id] })
    void navigate(`/datasets/${id}`)
  }, [navigate, queries, id])
  const skip = async (assignment: Assignment, why: string) => {
    const path = { assignment_id: assignment.id }
    try {
      await answer(
        api.POST('/api/assignments/{assignment_id}/skip/', { params: { path }, body: { reason: why } }),
      )
      advance(assignment)
    } catch (error) {
      tellError(error)
    }
  }
  return (
    <Workspace
      title={dataset?.name ?? ''}
      // What an earlier page left unsent belongs to the photo, too: read it before the photo is shown.
      current={isResumed ? current : null}
      next={next}
      outbox={outbox}
      empty={<Nothing reason={reason} onBack={back} />}
      onBack={back}
      onSubmit={advance}
      onSkip={(assignment, why) => void skip(assignment, why)}
      onError={tellError}
    />
  )
}

function Nothing({ reason, onBack }: { reason: Reason | null; onBack: () => void }) {
  if (reason === null) return <Text c="dimmed">Getting a photo…</Text>
  return (
    <Stack align="center">
      <Title order={2} size="h3">
        {EMPTY[reason]}
      </Title>
      <Button onClick={onBack}>Back to the dataset</Button>
    </Stack>
  )
}
