import {
  Button,
  Group,
  Loader,
  Modal,
  SegmentedControl,
  SimpleGrid,
  Slider,
  Stack,
  Text,
  TextInput,
} from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useMemo, useState } from 'react'
import { decode } from '@/shared/geometry/runLengths'
import { fixed, t } from '@/shared/i18n'
import { FailedPhotos } from '@/shared/ui/FailedPhotos'
import { type Layer, MaskPicture } from '@/shared/ui/MaskPicture'
import { masksInWords, photosInWords } from '@/shared/ui/words'
import { Postponed } from './Postponed'
import {
  type Limits,
  type Preview,
  type Prompts,
  type Selection,
  usePreview,
  useSelection,
  useStart,
  useStartPreview,
  useThresholds,
} from './queries'
import { useWhyNone } from './whyNone'

const USUAL: Limits = { min_predicted_iou: 0.5, min_stability: 0.4 }
const COLOURS: readonly Layer['colour'][] = [
  [56, 178, 172],
  [237, 137, 54],
  [66, 153, 225],
  [159, 122, 234],
  [236, 201, 75],
  [237, 100, 166],
]

/** What a list of photos is chosen by, as the gallery's address has it. */
export type Chosen = Readonly<Record<string, string | undefined>>

/** Of these photos both kinds: whoever chose them has said which. */
export function selectionOf({ sort: _, ...chosen }: Chosen): Selection {
  return { which: 'all', ...(chosen as Omit<Selection, 'which'>) }
}

interface StartDialogProps {
  dataset: string
  /** Only of these photos; without it, of all. */
  chosen?: Chosen
  onClose: () => void
  onStarted?: () => void
}

/** Which photos, and how sure a mask has to be: seen on a few photos before anything is kept. */
export function StartDialog({ dataset, chosen: only, onClose, onStarted = onClose }: StartDialogProps) {
  const known = useThresholds(dataset).data
  const whyNone = useWhyNone(dataset)
  const [wantedPrompts, setWantedPrompts] = useState<Prompts | null>(null)
  const prompts = wantedPrompts ?? known?.thresholds?.prompts ?? 'grid'
  const isOfOthers = known?.thresholds != null && known.thresholds.prompts !== prompts
  const calibrated = isOfOthers ? null : known?.thresholds
  const [selection, setSelection] = useState<Selection>(only ? selectionOf(only) : { which: 'waiting' })
  const [asked] = useDebouncedValue(selection, 300)
  const photos = useSelection(dataset, asked).data?.photos
  const [chosen, setChosen] = useState<Limits | null>(null)
  const [previewId, setPreviewId] = useState<string | null>(null)
  const startPreview = useStartPreview(dataset)
  const start = useStart(dataset)
  const preview = usePreview(dataset, previewId)
  const limits = chosen ?? calibrated ?? USUAL
  const settings = calibrated?.settings // what the thresholds hold for
  const change = (next: Partial<Selection>) => {
    setSelection({ ...selection, ...next })
    setPreviewId(null)
  }
  return (
    <Modal opened onClose={onClose} size="80rem" title={t('Label automatically')}>
      <Stack gap="md">
        <Which selection={selection} photos={photos} isOfGallery={only !== undefined} onChange={change} />
        <Group gap="sm">
          <Text size="sm">{t('The model is asked with')}</Text>
          <SegmentedControl
            aria-label={t('The model is asked with')}
            size="xs"
            value={prompts}
            onChange={value => {
              setWantedPrompts(value as Prompts)
              setChosen(null) // what was chosen was chosen for masks of the other kind
              setPreviewId(null)
            }}
            data={[
              { value: 'grid', label: t('a grid of points') },
              { value: 'boxes', label: t('the detector’s boxes'), disabled: !known?.has_detector },
            ]}
          />
          {known && !known.has_detector && (
            <Text size="xs" c="dimmed">
              {t('The live model has no detector yet; the next retraining trains one.')}
            </Text>
          )}
        </Group>
        <Text size="sm" c="dimmed">
          {t('Photos that people worked on, and those for testing, are never taken.')}{' '}
          {calibrated
            ? calibrated.attained
              ? t(
                  'The thresholds were calibrated: {{precision}}% of the masks are good, {{recall}}% of the objects found.',
                  {
                    precision: Math.round(100 * (calibrated.precision ?? 0)),
                    recall: Math.round(100 * (calibrated.recall ?? 0)),
                  },
                )
              : t('The precision that was asked for cannot be promised; these thresholds come nearest.')
            : isOfOthers
              ? t('The thresholds were calibrated for the other prompts; look at the preview.')
              : whyNone}
        </Text>
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl">
          <Limit
            label={t('Predicted IoU above')}
            value={limits.min_predicted_iou}
            onChange={min_predicted_iou => setChosen({ ...limits, min_predicted_iou })}
          />
          <Limit
            label={t('Stability at least')}
            value={limits.min_stability}
            onChange={min_stability => setChosen({ ...limits, min_stability })}
          />
        </SimpleGrid>
        {previewId === null ? (
          <Group>
            <Button
              variant="default"
              disabled={!photos}
              loading={startPreview.isPending}
              onClick={() =>
                startPreview.mutate(
                  { selection: asked, prompts, settings },
                  { onSuccess: ({ id }) => setPreviewId(id) },
                )
              }
            >
              {t('Look at 20 photos first')}
            </Button>
          </Group>
        ) : (
          preview.data && <Pictures preview={preview.data} limits={limits} />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('Not now')}
          </Button>
          <Button
            disabled={!photos}
            loading={start.isPending}
            onClick={() =>
              start.mutate(
                { selection: asked, prompts, settings, thresholds: limits },
                { onSuccess: onStarted },
              )
            }
          >
            {t('Label {{photos}}', { photos: photosInWords(photos ?? 0) })}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

interface WhichProps {
  selection: Selection
  /** How many there are; undefined: not known yet. */
  photos: number | undefined
  /** Chosen there, by more than there are fields here. */
  isOfGallery: boolean
  onChange: (next: Partial<Selection>) => void
}

export function Which({ selection, photos, isOfGallery, onChange }: WhichProps) {
  return (
    <Group align="flex-end">
      <SegmentedControl
        aria-label={t('Which photos')}
        value={selection.which ?? 'waiting'}
        onChange={which => onChange({ which: which as Selection['which'] })}
        data={[
          { value: 'waiting', label: t('Without masks') },
          { value: 'automatic', label: t('With automatic masks, anew') },
          { value: 'all', label: t('Both') },
        ]}
      />
      {!isOfGallery && (
        <TextInput
          aria-label={t('In the file name')}
          placeholder={t('In the file name')}
          value={selection.name ?? ''}
          onChange={event => onChange({ name: event.currentTarget.value })}
        />
      )}
      <Text size="sm" c="dimmed" role="status">
        {photos !== undefined &&
          (isOfGallery
            ? t('{{photos}} of those that were chosen', { photos: photosInWords(photos) })
            : photosInWords(photos))}
      </Text>
    </Group>
  )
}

interface LimitProps {
  label: string
  value: number
  onChange: (value: number) => void
}

function Limit({ label, value, onChange }: LimitProps) {
  return (
    <div>
      <Group justify="space-between">
        <Text size="sm">{label}</Text>
        <Text size="sm">{fixed(value, 2)}</Text>
      </Group>
      <Slider thumbLabel={label} label={null} min={0} max={1} step={0.01} value={value} onChange={onChange} />
    </div>
  )
}

/** Every candidate is here already: moving a threshold asks nobody. */
export function Pictures({ preview: { photos, run }, limits }: { preview: Preview; limits: Limits }) {
  const drawn = useMemo(
    () =>
      photos.map(({ masks, ...photo }) => ({
        ...photo,
        masks: masks.map(({ size: [height, width], counts, ...figures }, index) => ({
          ...figures,
          colour: COLOURS[index % COLOURS.length]!,
          mask: decode(counts, { height: height!, width: width! }),
        })),
      })),
    [photos],
  )
  const shown = drawn.map(photo => ({
    ...photo,
    kept: photo.masks.filter(
      ({ predicted_iou, stability }) =>
        predicted_iou > limits.min_predicted_iou && stability >= limits.min_stability,
    ),
  }))
  const ready = shown.filter(({ state }) => state === 'done')
  const kept = ready.reduce((sum, photo) => sum + photo.kept.length, 0)
  return (
    <Stack gap="xs">
      <Group gap="xs">
        {run.state === 'running' && <Loader size="xs" aria-label={t('Looking')} />}
        <Text size="sm" role="status" data-testid="preview-count">
          {t('{{masks}} on {{ready}} of {{count}} photos', {
            masks: masksInWords(kept),
            ready: ready.length,
            count: photos.length,
          })}
        </Text>
      </Group>
      <Postponed run={run} />
      {run.counts.failed > 0 && (
        <FailedPhotos
          title={t('{{count}} photos failed', { count: run.counts.failed })}
          failures={run.failures}
          count={run.counts.failed}
          onRetry={null}
        />
      )}
      <SimpleGrid cols={{ base: 2, sm: 4, lg: 5 }} spacing="xs">
        {ready.map(photo => (
          <div key={photo.image}>
            <MaskPicture
              src={`/api/images/${photo.image}/thumbnail/`}
              name={`${photo.file_name}, ${masksInWords(photo.kept.length)}`}
              size={photo.masks[0]?.mask.size ?? { height: 1, width: 1 }}
              layers={photo.kept}
            />
            <Text size="xs" c="dimmed" ta="center">
              {photo.kept.length}
            </Text>
          </div>
        ))}
      </SimpleGrid>
    </Stack>
  )
}
