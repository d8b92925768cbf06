import {
  ActionIcon,
  Badge,
  Group,
  SegmentedControl,
  Slider,
  Text,
  Tooltip,
  UnstyledButton,
} from '@mantine/core'
import { type MouseEvent, memo, useEffect, useMemo, useRef, useState } from 'react'
import { useStore } from 'zustand'
import { areaOf } from '@/shared/geometry/bitmask'
import { number as inDigits, percent, t, text } from '@/shared/i18n'
import type { PainterClient } from '../canvas/painter/client'
import { cssOf, PALETTE, type Rgb } from '../editor/colours'
import type { AcceptedMask, Editor } from '../editor/editor'
import { type Look, ORDERS, type Order } from '../editor/look'
import { inOrder, type Listed } from '../editor/order'
import classes from './panels.module.css'

export const ROW_PX = 48
const THUMBNAIL_PX = 36
/** Rows above and below those in sight. */
const SPARE_ROWS = 6

const ORIGINS = {
  assisted: text('by clicks'),
  brush: text('by brush'),
  proposed: text('proposed'),
  automatic: text('automatic'),
  imported: text('imported'),
} as const

const ORDER_NAMES: Record<Order, string> = {
  order: text('Made'),
  size: text('Size'),
  confidence: text('Unsure'),
}

export interface ObjectListProps {
  editor: Editor
  look: Look
  painter: PainterClient
  colours: ReadonlyMap<string, Rgb>
  /** Whoever goes by keys has removed the last object. */
  onEmptied: () => void
}

/** The photo's objects. Only rows in sight exist, so that a thousand scroll like ten. */
export function ObjectList(props: ObjectListProps) {
  const { editor, look } = props
  const masks = useStore(editor.store, state => state.masks)
  const { order, fill, isolated } = useStore(look.store)
  const listed = useMemo(() => inOrder(masks, order), [masks, order])
  return (
    <>
      <Group className={classes.heading} justify="space-between" gap={8} pr={12}>
        <Group gap={8} wrap="nowrap">
          <Text size="sm" fw={600}>
            {t('Objects')}
          </Text>
          <Badge variant="default" size="sm" miw="max-content" data-testid="object-count">
            {masks.length}
          </Badge>
        </Group>
        <SegmentedControl
          size="xs"
          flex="none"
          aria-label={t('Order of the list')}
          value={order}
          onChange={value => look.setOrder(value as Order)}
          data={ORDERS.map(value => ({ value, label: t(ORDER_NAMES[value]) }))}
        />
      </Group>
      <Group className={classes.fill} gap={10} wrap="nowrap">
        <Text size="xs" c="dimmed">
          {t('Fill')}
        </Text>
        <Slider
          flex={1}
          size="xs"
          label={null}
          thumbLabel={t('Opacity of the fill')}
          min={0}
          max={1}
          step={0.05}
          value={fill}
          onChange={value => look.setFill(value)}
        />
      </Group>
      {isolated !== null && (
        <UnstyledButton className={classes.alone} onClick={() => look.isolate(null)}>
          {t('One mask is shown alone. Show all')}
        </UnstyledButton>
      )}
      {masks.length ? (
        <Rows listed={listed} {...props} />
      ) : (
        <Text size="sm" c="dimmed" px="md" py="xs">
          {t('None yet.')}
        </Text>
      )}
    </>
  )
}

function Rows({
  listed,
  editor,
  look,
  painter,
  colours,
  onEmptied,
}: ObjectListProps & { listed: readonly Listed[] }) {
  const box = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState({ first: 0, rows: 20 })
  const photo = useStore(editor.store, state => state.photo)
  const selected = useStore(editor.store, state => state.selected)
  const alsoSelected = useStore(editor.store, state => state.alsoSelected)
  const hovered = useStore(look.store, state => state.hovered)

  useEffect(() => {
    const own = box.current!
    const measure = () => {
      const first = Math.max(0, Math.floor(own.scrollTop / ROW_PX) - SPARE_ROWS)
      const rows = Math.ceil(own.clientHeight / ROW_PX) + 2 * SPARE_ROWS
      setSeen(now => (now.first === first && now.rows === rows ? now : { first, rows }))
    }
    const observer = new ResizeObserver(measure)
    observer.observe(own)
    own.addEventListener('scroll', measure, { passive: true })
    return () => {
      observer.disconnect()
      own.removeEventListener('scroll', measure)
    }
  }, [])

  // What is pointed at, or selected, on the photo comes into sight here; not what is pointed at in the list itself.
  const shown = hovered ?? selected
  useEffect(() => {
    const own = box.current
    if (!own || shown === null || own.matches(':hover')) return
    const index = listed.findIndex(({ mask }) => mask.id === shown)
    if (index < 0) return
    const top = index * ROW_PX
    if (top < own.scrollTop) own.scrollTop = top
    else if (top + ROW_PX > own.scrollTop + own.clientHeight) own.scrollTop = top + ROW_PX - own.clientHeight
  }, [shown, listed])

  const first = Math.min(seen.first, Math.max(0, listed.length - 1))
  const rows = listed.slice(first, first + seen.rows)
  return (
    <div ref={box} className={classes.rows} data-testid="object-list">
      <ul className={classes.list} style={{ height: listed.length * ROW_PX }}>
        {rows.map(({ mask, number }, index) => (
          <Row
            key={mask.id}
            mask={mask}
            number={number}
            top={(first + index) * ROW_PX}
            place={first + index + 1}
            of={listed.length}
            photo={photo}
            colour={colours.get(mask.id) ?? PALETTE[0]!}
            isSelected={mask.id === selected || alsoSelected.includes(mask.id)}
            isHovered={mask.id === hovered}
            editor={editor}
            look={look}
            painter={painter}
            onEmptied={onEmptied}
          />
        ))}
      </ul>
    </div>
  )
}

interface RowProps {
  mask: AcceptedMask
  number: number
  top: number
  place: number
  of: number
  photo: string | null
  colour: Rgb
  isSelected: boolean
  isHovered: boolean
  editor: Editor
  look: Look
  painter: PainterClient
  onEmptied: () => void
}

const Row = memo(function Row(props: RowProps) {
  const { mask, number, top, place, of, photo, colour, isSelected, isHovered } = props
  const { editor, look, painter, onEmptied } = props
  const remove = (event: MouseEvent<HTMLElement>) => {
    const beside = removeBeside(event.currentTarget)
    editor.remove(mask.id)
    // The row goes away, and would take the keys with it. After a click by hand they are the photo's.
    if (event.detail > 0) return
    if (beside) beside.focus()
    else onEmptied()
  }
  const iou = mask.predictedIou
  return (
    <li
      className={classes.object}
      style={{ top }}
      data-selected={isSelected}
      data-hovered={isHovered}
      aria-setsize={of}
      aria-posinset={place}
      onPointerEnter={() => look.hover(mask.id)}
      onPointerLeave={() => look.hover(null)}
    >
      <UnstyledButton
        className={classes.select}
        aria-pressed={isSelected}
        aria-disabled={mask.locked || undefined}
        onClick={event => pick(editor, mask.id, event)}
        onFocus={() => look.hover(mask.id)}
        onBlur={() => look.hover(null)}
      >
        <Thumbnail photo={photo} mask={mask} colour={colour} painter={painter} />
        <span className={classes.name}>{t('Object {{number}}', { number })}</span>{' '}
        <Text size="xs" c="dimmed" component="span">
          {t(ORIGINS[mask.origin])} · {inDigits(areaOf(mask.mask))} px
          {iou !== null && ` · ${iouInWords(iou)}`}
          {mask.locked && ` · ${t('locked')}`}
        </Text>
      </UnstyledButton>
      {!mask.locked && (
        <Tooltip label={t('Remove')} openDelay={400}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="sm"
            aria-label={t('Remove object {{number}}', { number })}
            onClick={remove}
          >
            <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
              <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
            </svg>
          </ActionIcon>
        </Tooltip>
      )}
    </li>
  )
})

/** A click on a row selects its mask, or lets it go; with Shift or Ctrl it selects one more, or one less. */
export function pick(
  editor: Editor,
  id: string,
  { shiftKey, ctrlKey, metaKey }: Pick<MouseEvent, 'shiftKey' | 'ctrlKey' | 'metaKey'>,
): void {
  const [only, ...others] = editor.selection()
  if (shiftKey || ctrlKey || metaKey) editor.alsoSelect(id)
  else editor.select(only === id && !others.length ? null : id)
}

/** The button that removes the next object in the list, or the one before; null: there is no other. */
function removeBeside(button: HTMLElement): HTMLElement | null {
  // A row that is locked has no such button.
  const all = [...(button.closest('ul')?.querySelectorAll<HTMLElement>('button:nth-of-type(2)') ?? [])]
  const place = all.indexOf(button)
  return all[place + 1] ?? all[place - 1] ?? null
}

function Thumbnail({
  photo,
  mask,
  colour,
  painter,
}: Pick<RowProps, 'photo' | 'mask' | 'colour' | 'painter'>) {
  // A file and not a canvas: every canvas on the page costs something in every frame, and there may be dozens of these.
  const [source, setSource] = useState<string>()
  const { id, mask: pixels } = mask
  // biome-ignore lint/correctness/useExhaustiveDependencies: other pixels under the same id are another picture
  useEffect(() => {
    if (photo === null) return
    let isGone = false
    let address: string | undefined
    const side = Math.round(THUMBNAIL_PX * (window.devicePixelRatio || 1))
    const ask = async (): Promise<void> => {
      const picture = await painter.thumbnail(photo, id, side, colour)
      if (isGone) return
      if (!picture) {
        setTimeout(() => void ask(), 500) // the photo is still on its way
        return
      }
      address = URL.createObjectURL(picture)
      setSource(address)
    }
    void ask()
    return () => {
      isGone = true
      if (address) URL.revokeObjectURL(address)
    }
  }, [photo, id, pixels, colour, painter])
  return (
    <img
      src={source}
      alt=""
      className={classes.thumbnail}
      style={{ borderColor: cssOf(colour) }}
      width={THUMBNAIL_PX}
      height={THUMBNAIL_PX}
    />
  )
}

/** An IoU that the model predicts; it may say more than there is. */
export function iouInWords(predicted: number): string {
  return percent(Math.min(Math.max(predicted, 0), 1))
}
