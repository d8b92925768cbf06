import { Button, Center, SimpleGrid, Text } from '@mantine/core'
import { useIntersection } from '@mantine/hooks'
import { useEffect, useRef } from 'react'
import { Link } from 'react-router'
import { edgesOf } from '@/shared/geometry/bitmask'
import { decode } from '@/shared/geometry/runLengths'
import classes from './PhotoGrid.module.css'
import { type Photo, useMasks, usePhotos } from './queries'

const STATUS = {
  waiting: 'Waiting',
  open: 'In work',
  annotated: 'By people',
  automatic: 'Automatic',
} as const

/** All photos with their masks; each opens in the workspace. */
export function PhotoGrid({ dataset }: { dataset: string }) {
  const photos = usePhotos(dataset)
  return (
    <>
      <SimpleGrid cols={{ base: 2, sm: 3, md: 4, xl: 6 }} spacing="sm">
        {photos.data?.pages.flatMap(page => page.results.map(photo => <Tile key={photo.id} photo={photo} />))}
      </SimpleGrid>
      {photos.hasNextPage && (
        <Center mt="md">
          <Button
            variant="default"
            loading={photos.isFetchingNextPage}
            onClick={() => void photos.fetchNextPage()}
          >
            More photos
          </Button>
        </Center>
      )}
    </>
  )
}

function Tile({ photo }: { photo: Photo }) {
  const { ref, entry } = useIntersection({ rootMargin: '200px' })
  const masks = photo.mask_count ? `, ${photo.mask_count} ${photo.mask_count === 1 ? 'mask' : 'masks'}` : ''
  return (
    <Link
      to={`/datasets/${photo.dataset}/label?image=${photo.id}`}
      className={classes.tile}
      title={photo.attribution || undefined}
      ref={ref}
    >
      <div className={classes.frame}>
        <img src={photo.thumbnail_url} alt={`${photo.file_name}:`} className={classes.photo} loading="lazy" />
        {entry?.isIntersecting && photo.mask_count > 0 && <Outlines photo={photo} />}
      </div>
      <div className={classes.caption}>
        <span className={classes.dot} data-status={photo.status} />
        <Text size="xs" truncate>
          {STATUS[photo.status]}
          {masks}
        </Text>
        {photo.split !== 'train' && (
          <Text size="xs" c="dimmed" ml="auto">
            {photo.split}
          </Text>
        )}
      </div>
    </Link>
  )
}

const COLOURS = ['#4fd1c5', '#f6ad55', '#b794f4', '#68d391', '#f687b3', '#63b3ed', '#faf089', '#fc8181']

function Outlines({ photo }: { photo: Photo }) {
  const ref = useRef<HTMLCanvasElement>(null)
  const { data: masks } = useMasks(photo)
  useEffect(() => {
    const canvas = ref.current
    const context = canvas?.getContext('2d')
    if (!canvas || !context || !masks) return
    const scale = Math.min(512 / Math.max(photo.width, photo.height), 2)
    canvas.width = Math.round(photo.width * scale)
    canvas.height = Math.round(photo.height * scale)
    context.scale(scale, scale)
    context.lineWidth = 2.2 / scale
    masks.forEach((mask, index) => {
      const edges = edgesOf(decode(mask.counts, photo))
      context.beginPath()
      for (let i = 0; i < edges.length; i += 4) {
        context.moveTo(edges[i]!, edges[i + 1]!)
        context.lineTo(edges[i + 2]!, edges[i + 3]!)
      }
      context.strokeStyle = COLOURS[index % COLOURS.length]!
      context.stroke()
    })
  }, [masks, photo])
  return <canvas ref={ref} className={classes.photo} aria-hidden />
}
