import { Anchor, Button, Group, Kbd, Stack, Text, Title } from '@mantine/core'
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { answer as answered, api } from '@/shared/api/client'
import { decode } from '@/shared/geometry/runLengths'
import { t } from '@/shared/i18n'
import { ANSWERS, verdictOfKey } from './keys'
import { around, OutlineView } from './OutlineView'
import classes from './review.module.css'
import { usePictures } from './usePictures'
import { verdictOutboxOf } from './verdictOutbox'
import { type Reason, Verifying } from './verifying'

const ASK_AGAIN_MS = 15_000
/** Nobody has seen an outline before it has been there for this long. */
const LOOK_MS = 150

function why(reason: Reason): string {
  return {
    nothing_left: t('Nothing is left to verify.'),
    all_open_elsewhere: t('What is left is with other people right now.'),
    too_many_open: t('Too many masks are open at once; close another tab.'),
    not_in_this_stage: t('There is nothing to verify in this stage of the dataset.'),
    not_your_job: t('An admin of this dataset has given you other work.'),
  }[reason]
}

interface VerifyPageProps {
  dataset: string
  title: string
  user: string
  onBack: () => void
  onError: (error: unknown) => void
}

/** One outline at a time, one key each. */
export function VerifyPage({ dataset, title, user, onBack, onError }: VerifyPageProps) {
  const outbox = verdictOutboxOf(user)
  const unsent = useSyncExternalStore(outbox.subscribe, () => outbox.unsent)
  const refusal = useSyncExternalStore(outbox.subscribe, () => outbox.refusal)
  const params = useMemo(() => ({ path: { dataset_id: dataset } }), [dataset])
  const [verifying] = useState(
    () =>
      new Verifying({
        ask: besides =>
          answered(
            api.POST('/api/datasets/{dataset_id}/questions/', { params, body: { count: 12, besides } }),
          ),
        tell: verdict => void outbox.add(verdict),
        failed: onError,
        newId: () => crypto.randomUUID(),
        now: () => performance.now(),
      }),
  )
  const { ahead, past, reason, answered: count, looked } = useStore(verifying.store)
  const current = ahead[0]
  const { picture, problem, isLost } = usePictures(ahead)
  useEffect(() => {
    if (!current || !picture) return
    const timer = setTimeout(() => verifying.look(current.id), LOOK_MS)
    return () => clearTimeout(timer)
  }, [verifying, current, picture])
  useEffect(() => {
    if (current && isLost) verifying.cannotLook(current.id)
  }, [verifying, current, isLost])
  const mask = useMemo(
    () => current && decode(current.counts, { height: current.size[0]!, width: current.size[1]! }),
    [current],
  )
  const parts = useMemo(() => {
    if (!mask) return null
    const { width, height } = mask.size
    return { whole: [0, 0, width, height] as const, near: around(mask.box, mask.size) }
  }, [mask])
  const [isHidden, setHidden] = useState(false)

  useEffect(() => {
    void outbox.resume().finally(() => void verifying.fill())
    // With the last answer there the server knows better whether anything is left.
    const stop = outbox.subscribe(
      () => outbox.unsent || verifying.state.ahead.length || void verifying.fill(),
    )
    const timer = setInterval(() => void verifying.fill(), ASK_AGAIN_MS)
    return () => {
      clearInterval(timer)
      stop()
      void outbox.flush().finally(() => {
        void api.POST('/api/datasets/{dataset_id}/questions/release/', { params }).catch(() => {})
      })
    }
  }, [outbox, verifying, params])

  useEffect(() => {
    const isElsewhere = (target: EventTarget | null) =>
      target instanceof Element && target.closest('input, textarea, select, [role="dialog"]') !== null
    const onKeyDown = (event: KeyboardEvent) => {
      if (isElsewhere(event.target)) return
      if (event.key.toLowerCase() === 'h') return setHidden(true)
      const said = verdictOfKey(event)
      if (!said) return
      event.preventDefault()
      if (event.repeat) return // a key held down answers once
      if (said === 'back') verifying.back()
      else verifying.answer(said)
    }
    const onKeyUp = (event: KeyboardEvent) => event.key.toLowerCase() === 'h' && setHidden(false)
    const onBlur = () => setHidden(false) // let go where this window does not hear of it
    window.addEventListener('keydown', onKeyDown)
    window.addEventListener('keyup', onKeyUp)
    window.addEventListener('blur', onBlur)
    return () => {
      window.removeEventListener('keydown', onKeyDown)
      window.removeEventListener('keyup', onKeyUp)
      window.removeEventListener('blur', onBlur)
    }
  }, [verifying])

  return (
    <div className={classes.page}>
      <Group component="header" className={classes.bar} justify="space-between" wrap="nowrap">
        <Group gap="md" wrap="nowrap" miw={0}>
          <Anchor component="button" size="sm" c="dimmed" onClick={onBack}>
            ← {title}
          </Anchor>
          <Text size="sm" truncate>
            {current?.image.file_name}
          </Text>
        </Group>
        <Group gap="md" wrap="nowrap">
          <Text size="sm" c="dimmed" role="status" data-testid="verified">
            {t('{{count}} verified', { count })}
            {' · '}
            {unsent ? t('{{count}} answers on their way', { count: unsent }) : t('saved')}
          </Text>
          <Button
            size="xs"
            variant="subtle"
            color="gray"
            onClick={() => verifying.back()}
            disabled={!past.length}
            rightSection={<Kbd size="xs">Z</Kbd>}
          >
            {t('Back')}
          </Button>
        </Group>
      </Group>
      {refusal && (
        <Text size="sm" c="red" px="md" py={4} role="alert">
          {refusal}
        </Text>
      )}
      {problem && (
        <Text size="sm" c="red" px="md" py={4} role="alert">
          {t('This photo cannot be shown: {{why}}', { why: problem })}
          {isLost && ` ${t('Answer “Unsure”, and somebody else is asked.')}`}
        </Text>
      )}
      {current && mask && parts ? (
        <>
          <main className={classes.views} data-question={current.id} data-ready={looked === current.id}>
            <OutlineView
              question={current.id}
              picture={picture}
              mask={mask}
              part={[...parts.whole]}
              label={t('The whole photo, with the outline')}
              isHidden={isHidden}
              isFramed
            />
            <OutlineView
              question={current.id}
              picture={picture}
              mask={mask}
              part={parts.near}
              label={t('The outline from near')}
              isHidden={isHidden}
            />
          </main>
          <Group className={classes.answers} justify="center" gap="sm" component="footer">
            {ANSWERS.map(({ answer, label, meaning, keys }) => (
              <Button
                key={answer}
                variant={answer === 'accept' ? 'filled' : 'default'}
                onClick={() => verifying.answer(answer)}
                disabled={isLost && answer !== 'unsure'}
                rightSection={<Kbd size="xs">{keys[0]!.toUpperCase()}</Kbd>}
                title={t(meaning)}
              >
                {t(label)}
              </Button>
            ))}
            <Text size="xs" c="dimmed" ml="md">
              {t('Hold H to see the photo without the outline.')}
            </Text>
          </Group>
        </>
      ) : (
        <main className={classes.centre}>
          {reason === null ? (
            <Text c="dimmed">{t('Getting masks…')}</Text>
          ) : (
            <Stack align="center">
              <Title order={2} size="h3">
                {why(reason)}
              </Title>
              <Button onClick={onBack}>{t('Back to the dataset')}</Button>
            </Stack>
          )}
        </main>
      )}
    </div>
  )
}
