import { Container, Title } from '@mantine/core'
import { Outlet } from 'react-router'
import type { Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { SubNavigation } from '@/shared/ui/SubNavigation'

/** The frame of a person's own pages. */
export function MeScreen({ user }: { user: Schemas['UserJson'] }) {
  return (
    <Container size="lg" py="lg" component="main">
      <Title order={1} size="h2" mb="sm">
        {user.username}
      </Title>
      <SubNavigation
        label={t('Your pages')}
        pages={[
          { to: '/me', name: t('My work') },
          { to: '/me/account', name: t('Account') },
        ]}
      />
      <Outlet />
    </Container>
  )
}
