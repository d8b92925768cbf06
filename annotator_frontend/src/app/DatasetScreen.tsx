import { Alert, Center, Container, Loader } from '@mantine/core'
import { Outlet, useOutletContext, useParams } from 'react-router'
import { DatasetHeader } from '@/features/datasets/DatasetHeader'
import { type Dataset, useDataset } from '@/features/datasets/queries'
import { AddPhotos } from '@/features/importing/AddPhotos'
import { t } from '@/shared/i18n'
import { SubNavigation } from '@/shared/ui/SubNavigation'

/** The pages of a dataset, in the order in which they are offered. The first is the dataset's own address. */
function pagesFor(isAdmin: boolean) {
  return [
    { path: '', name: t('Photos') },
    { path: '/dashboard', name: t('Dashboard') },
    ...(isAdmin ? [{ path: '/import', name: t('Import') }] : []),
    { path: '/loop', name: t('Loop') },
    { path: '/releases', name: t('Releases') },
    { path: '/people', name: t('People') },
    { path: '/settings', name: t('Settings') },
  ]
}

/** The frame of a dataset's pages. */
export function DatasetScreen() {
  const id = useParams().dataset!
  const { data: dataset, error } = useDataset(id)
  if (error) {
    return (
      <Container py="xl" component="main">
        <Alert color="red">{error.message}</Alert>
      </Container>
    )
  }
  if (!dataset) {
    return (
      <Center h={300} component="main">
        <Loader aria-label={t('Loading')} />
      </Center>
    )
  }
  const isAdmin = dataset.role === 'admin'
  return (
    <Container size={1680} py="lg" component="main">
      <DatasetHeader dataset={dataset} action={isAdmin && <AddPhotos dataset={id} />} />
      <SubNavigation
        label={t('Pages of this dataset')}
        pages={pagesFor(isAdmin).map(({ path, name }) => ({ to: `/datasets/${id}${path}`, name }))}
      />
      <Outlet context={dataset} />
    </Container>
  )
}

/** The dataset whose page this is. */
export function useOpenDataset(): Dataset {
  return useOutletContext<Dataset>()
}
