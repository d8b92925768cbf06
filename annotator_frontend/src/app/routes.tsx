import { Button, Center, Loader, Stack, Text } from '@mantine/core'
import { Fragment, lazy, Suspense, useEffect } from 'react'
import { Navigate, Route, Routes as Table, useLocation } from 'react-router'
import { DatasetsPage } from '@/features/datasets/DatasetsPage'
import { MyWork } from '@/features/me/MyWork'
import { verdictOutboxOf } from '@/features/review/verdictOutbox'
import { JoinPage } from '@/features/session/JoinPage'
import { LoginAgain } from '@/features/session/LoginAgain'
import { LoginPage } from '@/features/session/LoginPage'
import { PasswordForm } from '@/features/session/PasswordForm'
import { outboxOf } from '@/features/workspace/saving/server'
import type { Schemas } from '@/shared/api/client'
import { claimTab } from '@/shared/api/tab'
import { useCurrentUser } from '@/shared/api/useCurrentUser'
import { t } from '@/shared/i18n'
import { DatasetScreen } from './DatasetScreen'
import {
  ComparisonPage,
  DashboardPage,
  ImportPage,
  LoopPage,
  PeoplePage,
  PhotosPage,
  ReleasesPage,
  SettingsPage,
} from './datasetPages'
import { MeScreen } from './MeScreen'
import { Shell } from './Shell'
import { VerifyScreen } from './VerifyScreen'

// The decoder's runtime is only for those who label.
const WorkspaceScreen = lazy(() =>
  // After a deploy the server has no parts of an older page any more.
  import('./WorkspaceScreen').catch(() => ({
    default: Outdated as typeof import('./WorkspaceScreen').default,
  })),
)

function Waiting() {
  return (
    <Center mih="100dvh">
      <Loader aria-label={t('Loading')} />
    </Center>
  )
}

function Outdated() {
  return (
    <Center mih="100dvh" component="main">
      <Stack align="center">
        <Text>
          {t('This part of the page could not be fetched: there may be a new version of Maskloop.')}
        </Text>
        <Button onClick={() => location.reload()}>{t('Reload now')}</Button>
      </Stack>
    </Center>
  )
}

export function Routes() {
  const { pathname } = useLocation()
  const { data: user, isPending } = useCurrentUser()
  // What an earlier page left unsent is sent from wherever the person is.
  useEffect(() => {
    if (!user) return
    void claimTab().then(() => outboxOf(user.id).resume())
    void verdictOutboxOf(user.id).resume()
  }, [user])
  if (isPending) return <Waiting />
  if (pathname === '/join') return <JoinPage user={user ?? null} />
  if (!user) return <LoginPage />
  return (
    <Fragment key={user.id}>
      <LoginAgain
        user={user}
        onBack={() => {
          outboxOf(user.id).kick()
          void verdictOutboxOf(user.id).flush()
        }}
      />
      <Pages user={user} />
    </Fragment>
  )
}

function Pages({ user }: { user: Schemas['UserJson'] }) {
  return (
    <Suspense fallback={<Waiting />}>
      <Table>
        <Route element={<Shell user={user} />}>
          <Route index element={<DatasetsPage />} />
          <Route path="me" element={<MeScreen user={user} />}>
            <Route index element={<MyWork />} />
            <Route path="account" element={<PasswordForm />} />
          </Route>
          <Route path="datasets/:dataset" element={<DatasetScreen />}>
            <Route index element={<PhotosPage />} />
            <Route path="dashboard" element={<DashboardPage />} />
            <Route path="compare" element={<ComparisonPage />} />
            <Route path="import" element={<ImportPage />} />
            <Route path="loop" element={<LoopPage />} />
            <Route path="releases" element={<ReleasesPage />} />
            <Route path="people" element={<PeoplePage />} />
            <Route path="settings" element={<SettingsPage />} />
          </Route>
        </Route>
        <Route path="datasets/:dataset/verify" element={<VerifyScreen user={user} />} />
        <Route path="datasets/:dataset/label" element={<WorkspaceScreen user={user} />} />
        <Route path="*" element={<Navigate to="/" replace />} />
      </Table>
    </Suspense>
  )
}
