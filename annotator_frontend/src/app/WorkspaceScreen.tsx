import { Button, Stack, Text, Title } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { useLocation, useNavigate, useParams, useSearchParams } from 'react-router'
import { useDatasetBrief } from '@/features/datasets/queries'
import { type Assignment, type Job, type Reason, useQueue } from '@/features/queue/useQueue'
import { notify } from '@/features/workspace/operations'
import { DraftKeeper, draftsOf } from '@/features/workspace/saving/drafts'
import { named } from '@/features/workspace/saving/outbox'
import { outboxOf } from '@/features/workspace/saving/server'
import { Workspace } from '@/features/workspace/Workspace'
import { api, type Schemas } from '@/shared/api/client'
import { claimTab } from '@/shared/api/tab'
import { t, text } from '@/shared/i18n'
import { announce } from '@/shared/ui/announce'
import { tellError } from '@/shared/ui/notify'
import { isElsewhere, useWatching } from './useWatching'

const EMPTY: Record<Reason, string> = {
  nothing_left: text('Every photo is labelled.'),
  all_open_elsewhere: text('The photos that are left are with other people right now.'),
  too_many_open: text('Too many photos are open at once; close another tab.'),
  not_in_this_stage: text('There is no such work in this stage of the dataset.'),
  not_your_job: text('An admin of this dataset has given you other work.'),
}

const JOBS: readonly Job[] = ['annotate', 'complete', 'correct', 'audit']

/** The queue hands the workspace one photo after the other. */
export default function WorkspaceScreen({ user }: { user: Schemas['UserJson'] }) {
  const id = useParams().dataset!
  const [search, setSearch] = useSearchParams()
  const job = JOBS.find(one => one === search.get('job')) ?? 'annotate'
  const navigate = useNavigate()
  const { state } = useLocation()
  const cameFrom = (state as { from?: string } | null)?.from
  const queries = useQueryClient()
  const { data: dataset } = useDatasetBrief(id)
  const outbox = outboxOf(user.id)
  const [drafts] = useState(() => new DraftKeeper(draftsOf(user.id), () => outbox.journalled()))
  const [isResumed, setResumed] = useState(false)
  useEffect(() => {
    void claimTab()
      .then(() => outbox.resume())
      .finally(() => setResumed(true))
  }, [outbox])

  useEffect(() => {
    // Closed, or about to be loaded again: the next window need not ask whether it may go on. `keepalive` outlives the page.
    const leave = () => void api.POST('/api/assignments/leave/', { keepalive: true }).catch(() => {})
    window.addEventListener('pagehide', leave)
    return () => window.removeEventListener('pagehide', leave)
  }, [])

  const lost = useRef((_: Assignment) => {})
  // Behind the masks that are still on their way, so that they arrive under this lease.
  const giveBack = (held: readonly Assignment[]) => {
    for (const { id: assignment, image } of held.filter(one => !isElsewhere(one)))
      outbox.add({ kind: 'release', assignment, image: image.id })
  }
  const queue = useQueue({
    dataset: id,
    job,
    image: search.get('image'),
    // What an earlier page left unsent belongs to the photos, too: read it before they are asked for.
    isEnabled: isResumed,
    isUnsent: () => outbox.state.name !== 'saved',
    closing: () => outbox.closing(),
    asOf: () => outbox.confirmations,
    onLeave: giveBack,
    onLost: assignment => lost.current(assignment),
    onError: tellError,
  })
  const { current, ahead, reason, advance, move, isAway } = queue
  // A photo on which nothing is drawn yet is not waited for; one on which something is, is taken again before more is.
  const atWork = useRef(() => false)
  lost.current = held => {
    // Nobody is there: it stays as it is, with what is drawn, until somebody is, and the queue finds its lease gone.
    if (isAway()) return
    const { id } = held.image
    const isAtHand = current?.image.id === id
    const isDrawn = held.masks.some(({ author }) => author === user.id) || outbox.operationsOn(id).length > 0
    if (isDrawn || (isAtHand && atWork.current())) {
      outbox.reopen(id, held.id).catch(tellError)
      return
    }
    advance(held)
    if (isAtHand) notify(t('Nobody worked on that photo for a while, so it went back to the others.'), 10_000)
  }
  const takeOver = useWatching(queue, outbox, lost, tellError)
  useEffect(() => {
    outbox.onMoved = move
  }, [outbox, move])
  // The photo that was asked for is done, or not to be had: a reload is not to bring it back.
  const wanted = search.get('image')
  const wasThere = useRef(false)
  const isPast = wanted !== null && (current ? current.image.id !== wanted : wasThere.current)
  wasThere.current ||= current !== null
  useEffect(() => {
    if (!isPast) return
    const without = (now: URLSearchParams) =>
      new URLSearchParams([...now].filter(([name]) => name !== 'image'))
    setSearch(without, { replace: true, state })
  }, [isPast, setSearch, state])
  const back = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ['dataset', id] })
    void navigate(cameFrom ?? `/datasets/${id}`) // the list as it was left
  }, [navigate, queries, id, cameFrom])
  // To another queue, whose photos would be too many with these.
  const open = (place: string) => {
    giveBack(current ? [current, ...ahead] : ahead)
    void outbox.settled().then(() => window.location.assign(place))
  }
  const skip = (assignment: Assignment, why: string) => {
    outbox.add({ kind: 'skip', assignment: assignment.id, reason: why, ...named(assignment.image) })
    advance(assignment)
  }
  return (
    <Workspace
      key={user.id}
      user={user.id}
      title={dataset?.name ?? ''}
      guidelines={dataset?.guidelines ?? ''}
      current={current}
      ahead={ahead}
      outbox={outbox}
      drafts={drafts}
      atWork={atWork}
      onTakeOver={current && isElsewhere(current) ? () => void takeOver(current.tab) : null}
      empty={<Nothing job={job} reason={reason} onBack={back} />}
      onBack={back}
      onSubmit={advance}
      onSkip={skip}
      onOpen={open}
      onError={tellError}
    />
  )
}

function Nothing({ job, reason, onBack }: { job: Job; reason: Reason | null; onBack: () => void }) {
  const isDone = reason === 'nothing_left' && job !== 'annotate'
  const why = isDone ? t('Nothing is left to do here.') : reason && t(EMPTY[reason])
  useEffect(() => {
    if (why) announce(why)
  }, [why])
  if (!why) return <Text c="dimmed">{t('Getting a photo…')}</Text>
  return (
    <Stack align="center">
      <Title order={2} size="h3">
        {why}
      </Title>
      <Button onClick={onBack}>{t('Back to the dataset')}</Button>
    </Stack>
  )
}
