import { Center, Loader } from '@mantine/core'
import { lazy, Suspense } from 'react'
import { Navigate, Route, Routes as Table } from 'react-router'
import { DatasetsPage } from '@/features/datasets/DatasetsPage'
import { LoginPage } from '@/features/session/LoginPage'
import { useCurrentUser } from '@/shared/api/useCurrentUser'
import { t } from '@/shared/i18n'
import { DatasetScreen } from './DatasetScreen'
import { LoopPage, PeoplePage, PhotosPage, ReleasesPage, SettingsPage } from './datasetPages'
import { Shell } from './Shell'

// The decoder's runtime is only for those who label.
const WorkspaceScreen = lazy(() => import('./WorkspaceScreen'))

function Waiting() {
  return (
    <Center mih="100dvh">
      <Loader aria-label={t('Loading')} />
    </Center>
  )
}

export function Routes() {
  const { data: user, isPending } = useCurrentUser()
  if (isPending) return <Waiting />
  if (!user) return <LoginPage />
  return (
    <Suspense fallback={<Waiting />}>
      <Table>
        <Route element={<Shell user={user} />}>
          <Route index element={<DatasetsPage />} />
          <Route path="datasets/:dataset" element={<DatasetScreen />}>
            <Route index element={<PhotosPage />} />
            <Route path="loop" element={<LoopPage />} />
            <Route path="releases" element={<ReleasesPage />} />
            <Route path="people" element={<PeoplePage />} />
            <Route path="settings" element={<SettingsPage />} />
          </Route>
        </Route>
        <Route path="datasets/:dataset/label" element={<WorkspaceScreen user={user} />} />
        <Route path="*" element={<Navigate to="/" replace />} />
      </Table>
    </Suspense>
  )
}
