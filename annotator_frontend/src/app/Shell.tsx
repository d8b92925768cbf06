import { Anchor, Button, Group } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet } from 'react-router'
import { Saving } from '@/features/workspace/panels/Saving'
import { outboxOf } from '@/features/workspace/saving/server'
import { answer, api, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { NewVersion } from '@/shared/ui/NewVersion'
import { tellError } from '@/shared/ui/notify'
import { LanguageChoice } from './LanguageChoice'
import classes from './Shell.module.css'
import { useLiveChanges } from './useLiveChanges'

/** The frame of every page but the workspace. */
export function Shell({ user }: { user: Schemas['UserJson'] }) {
  const queries = useQueryClient()
  useLiveChanges()
  const logOut = async () => {
    try {
      await answer(api.DELETE('/api/session/'))
      queries.setQueryData(['session'], null)
    } catch (error) {
      tellError(error)
    }
  }
  return (
    <>
      <Group component="header" className={classes.bar} justify="space-between">
        <Anchor component={Link} to="/" underline="never" c="inherit" fw={700}>
          <Group gap={8}>
            <img src="/favicon.svg" alt="" width={22} height={22} />
            Maskloop
          </Group>
        </Anchor>
        <Group gap="md">
          <NewVersion />
          <Saving outbox={outboxOf(user.id)} isQuiet />
          <Anchor href="/api/docs/" size="sm" c="dimmed">
            API
          </Anchor>
          <LanguageChoice />
          <Anchor component={Link} to="/me" size="sm" c="inherit">
            {user.username}
          </Anchor>
          <Button size="compact-sm" variant="default" onClick={() => void logOut()}>
            {t('Log out')}
          </Button>
        </Group>
      </Group>
      <Outlet />
    </>
  )
}
