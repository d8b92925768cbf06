import { Alert, Button, Center, Loader, Text } from '@mantine/core'
import { type ReactNode, useEffect, useMemo, useRef } from 'react'
import { Link, useLocation } from 'react-router'
import { t } from '@/shared/i18n'
import { type Choice, useChoice } from './choice'
import { Filters } from './Filters'
import classes from './gallery.module.css'
import { type Photo, usePhotos } from './queries'
import { useRows } from './useRows'
import { splitNames, statusName } from './words'

interface GalleryProps {
  dataset: string
  isReviewer: boolean
  /** What can be done with the photos that were chosen. */
  withChosen?: (choice: Choice) => ReactNode
}

/** All photos with their masks, as many as there may be; each opens in the workspace, and back is the same place. */
export function Gallery({ dataset, isReviewer, withChosen }: GalleryProps) {
  const { choice, choose, clear, place, keepPlace, areMasksShown, showMasks } = useChoice()
  const query = usePhotos(dataset, choice, place)
  const photos = useMemo(() => query.data?.pages.flatMap(page => page.results) ?? [], [query.data])
  const ids = useMemo(() => photos.map(({ id }) => id), [photos])
  const list = useRef<HTMLUListElement>(null)
  const { columns, rowHeight, first, last } = useRows({ list, ids, place, onPlace: keepPlace })
  const rowCount = Math.ceil(photos.length / columns)
  const count = useRef<number | null>(null)
  count.current = query.data?.pages.find(page => page.count !== null)?.count ?? count.current

  const { hasNextPage, hasPreviousPage, isFetching, fetchNextPage, fetchPreviousPage } = query
  useEffect(() => {
    if (isFetching || !photos.length) return
    if (last >= rowCount && hasNextPage) void fetchNextPage()
    else if (first === 0 && hasPreviousPage) void fetchPreviousPage()
  }, [
    first,
    last,
    rowCount,
    photos.length,
    isFetching,
    hasNextPage,
    hasPreviousPage,
    fetchNextPage,
    fetchPreviousPage,
  ])

  const shown = photos.slice(first * columns, (last + 1) * columns)
  return (
    <>
      <Filters
        dataset={dataset}
        isReviewer={isReviewer}
        choice={choice}
        choose={choose}
        clear={clear}
        count={count.current}
        areMasksShown={areMasksShown}
        showMasks={showMasks}
        withChosen={withChosen}
      />
      {query.error && <Alert color="red">{query.error.message}</Alert>}
      {query.isPending && (
        <Center h={200}>
          <Loader aria-label={t('Loading')} />
        </Center>
      )}
      {query.isSuccess && !photos.length && (
        <Center h={200}>
          {Object.keys(choice).length ? (
            <Text c="dimmed">
              {t('No photo is like that.')}{' '}
              <Button variant="subtle" size="compact-sm" onClick={clear}>
                {t('Show all')}
              </Button>
            </Text>
          ) : (
            <Text c="dimmed">{t('No photos yet.')}</Text>
          )}
        </Center>
      )}
      <ul
        ref={list}
        className={classes.list}
        aria-label={t('Photos')}
        aria-busy={query.isPlaceholderData}
        style={{
          height: rowCount * rowHeight,
          paddingTop: Math.min(first, rowCount) * rowHeight,
          gridTemplateColumns: `repeat(${columns}, 1fr)`,
          gridAutoRows: rowHeight,
        }}
      >
        {shown.map(photo => (
          <Tile key={photo.id} photo={photo} areMasksShown={areMasksShown} />
        ))}
      </ul>
    </>
  )
}

function Tile({ photo, areMasksShown }: { photo: Photo; areMasksShown: boolean }) {
  const { pathname, search } = useLocation()
  const masks = photo.mask_count ? `, ${t('{{count}} masks', { count: photo.mask_count })}` : ''
  return (
    <li className={classes.item}>
      <Link
        to={`/datasets/${photo.dataset}/label?image=${photo.id}`}
        state={{ from: pathname + search }}
        className={classes.tile}
        title={[photo.file_name, photo.attribution].filter(Boolean).join('\n')}
      >
        <div className={classes.frame}>
          <img
            src={photo.thumbnail_url}
            alt={`${photo.file_name}:`}
            className={classes.photo}
            decoding="async"
          />
          {areMasksShown && photo.overlay_url && (
            <img src={photo.overlay_url} alt="" className={classes.photo} decoding="async" />
          )}
        </div>
        <div className={classes.caption}>
          <span className={classes.dot} data-status={photo.status} />
          <Text size="xs" truncate>
            {statusName(photo.status)}
            {masks}
          </Text>
          {photo.split !== 'train' && (
            <Text size="xs" c="dimmed" ml="auto">
              {splitNames()[photo.split]}
            </Text>
          )}
        </div>
      </Link>
    </li>
  )
}
