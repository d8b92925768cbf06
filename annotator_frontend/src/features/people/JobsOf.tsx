import { Button, Checkbox, Popover, Stack, Text } from '@mantine/core'
import { t } from '@/shared/i18n'
import { jobNames } from '@/shared/ui/jobs'
import { tellError } from '@/shared/ui/notify'
import { type Job, type Member, useAsChosen, useSetJobs } from './queries'

/** In which queues a member works, in words. */
export function jobsInWords({ jobs }: Member): string {
  if (jobs === null) return t('All work')
  const names = jobNames()
  const own = (Object.keys(names) as Job[]).filter(job => jobs.includes(job))
  return own.length ? own.map(job => names[job]).join(', ') : t('No work')
}

/** The same, for an admin to change. What the person has in hand stays theirs. */
export function JobsOf({ dataset, member: stored }: { dataset: string; member: Member }) {
  const member = useAsChosen(dataset, stored)
  const set = useSetJobs(dataset)
  const names = jobNames()
  const all = Object.keys(names) as Job[]
  const title = t('Work of {{name}}', { name: member.username })
  return (
    <Popover position="bottom-start" withArrow trapFocus shadow="md">
      <Popover.Target>
        <Button size="compact-sm" variant="default" fw={400} aria-label={`${title}: ${jobsInWords(member)}`}>
          {jobsInWords(member)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={title}>
        <Checkbox.Group
          label={title}
          value={member.jobs ?? all}
          onChange={chosen => {
            const jobs = all.filter(job => chosen.includes(job))
            set.mutate(
              { user: member.user, jobs: jobs.length === all.length ? null : jobs },
              { onError: tellError },
            )
          }}
        >
          <Stack gap="xs" mt="xs">
            {all.map(job => (
              <Checkbox key={job} size="xs" value={job} label={names[job]} />
            ))}
          </Stack>
        </Checkbox.Group>
        <Text size="xs" c="dimmed" mt="xs" maw={220}>
          {t('What somebody has in hand they finish.')}
        </Text>
      </Popover.Dropdown>
    </Popover>
  )
}
