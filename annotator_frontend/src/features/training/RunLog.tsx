import { Anchor, Box, Button, Group, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { bytesOf } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import classes from './RunLog.module.css'

const LINES = 200

interface RunLogProps {
  dataset: string
  kind: 'training-runs' | 'detector-runs'
  run: string
}

/** What the worker and the engine said: the last lines, and all of it as a file. */
export function RunLog({ dataset, kind, run }: RunLogProps) {
  const [isOpen, setIsOpen] = useState(false)
  return (
    <div>
      <Group gap="md">
        <Button size="compact-xs" variant="subtle" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          {isOpen ? t('Hide the log') : t('Show the log')}
        </Button>
        {isOpen && (
          <Anchor size="xs" href={`/api/${kind}/${run}/log/`} download>
            {t('Download all of it')}
          </Anchor>
        )}
      </Group>
      {isOpen && <Lines dataset={dataset} kind={kind} run={run} />}
    </div>
  )
}

function Lines({ dataset, kind, run }: RunLogProps) {
  const { data, error } = useQuery({
    // Under the runs' key, so that it is asked for again whenever a run says that it has changed.
    queryKey: ['dataset', dataset, kind, run, 'log'],
    queryFn: async () => (await bytesOf(`/api/${kind}/${run}/log/?lines=${LINES}`)).text(),
  })
  const box = useRef<HTMLPreElement>(null)
  const isAtEnd = useRef(true)
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each new line
  useEffect(() => {
    if (box.current && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight
  }, [data])
  if (error) return <Text size="sm">{error.message}</Text>
  if (data === undefined) return null
  return (
    <Box
      component="pre"
      ref={box}
      className={classes.log}
      tabIndex={0}
      role="region" // a log would be read out as a whole, because all of it is new each time
      aria-label={t('Log of the run')}
      onScroll={event => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 8
      }}
    >
      {data || t('Nothing was said yet.')}
    </Box>
  )
}
