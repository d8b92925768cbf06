import type { Schemas } from '@/shared/api/client'
import type { Prompt } from '@/shared/geometry/modelFrame'
import { decode } from '@/shared/geometry/runLengths'
import type { AcceptedMask } from '../editor/editor'
import type { Operation } from './outbox'

/** What `PUT /api/masks/UUID/` is told of a mask. */
export function bodyOf(mask: AcceptedMask, assignment: string): Record<string, unknown> {
  return {
    assignment,
    size: [mask.mask.size.height, mask.mask.size.width],
    counts: mask.counts,
    origin: mask.origin === 'brush' ? 'brush' : 'assisted',
    prompts: mask.prompts.map(storedPrompt),
    predicted_iou: mask.predictedIou,
    stability: mask.stability,
    choice: mask.choice,
    seconds: mask.seconds,
    clicks: mask.clicks,
    replaces: mask.replaces,
    ...(mask.cropBox ? { crop_box: [...mask.cropBox] } : {}),
  }
}

type StoredPrompt = Schemas['PromptJson']

/** A prompt as the server takes it. */
export function storedPrompt(prompt: Prompt): StoredPrompt {
  switch (prompt.kind) {
    case 'box':
      return { kind: 'box', box: [...prompt.box] }
    case 'text':
      return { kind: 'text', words: prompt.words }
    case 'point':
      return { kind: 'point', at: [prompt.at.x, prompt.at.y], label: prompt.label }
  }
}

function promptOf({ kind, at, label, box, words }: StoredPrompt): Prompt {
  switch (kind) {
    case 'box':
      return { kind: 'box', box: box as [number, number, number, number] }
    case 'text':
      return { kind: 'text', words: words!, token: [] }
    case 'point':
      return { kind: 'point', at: { x: at![0]!, y: at![1]! }, label: label! }
  }
}

/**
 * The masks that a photo has: the server's, as it told of them when it was asked, and what was done since.
 * `isLocked`: which of the server's are not to be touched in this job, unless `user` drew them.
 */
export function masksOf(
  stored: readonly Schemas['MaskJson'][],
  since: readonly Operation[],
  isLocked: (mask: Schemas['MaskJson']) => boolean = () => false,
  user: string | null = null,
): AcceptedMask[] {
  const removed = new Set(
    since.flatMap(operation => {
      if (operation.kind === 'remove') return [operation.id]
      return operation.kind === 'put' && operation.body.replaces ? [operation.body.replaces as string] : []
    }),
  )
  const known = new Set(stored.map(({ id }) => id))
  const confirmed = stored.map(mask => ({
    ...acceptedOf(mask.id, mask, mask.origin, false),
    locked: isLocked(mask) && (user === null || mask.author !== user),
  }))
  const added = since.flatMap(operation => {
    if (operation.kind !== 'put' || known.has(operation.id)) return []
    const body = operation.body as unknown as Schemas['MaskFormRequest']
    return [acceptedOf(operation.id, body, body.origin, true)]
  })
  return [...confirmed, ...added].filter(({ id }) => !removed.has(id))
}

function acceptedOf(
  id: string,
  from: Pick<
    Schemas['MaskFormRequest'],
    'size' | 'counts' | 'predicted_iou' | 'stability' | 'replaces' | 'crop_box'
  > & {
    prompts: StoredPrompt[]
  },
  origin: AcceptedMask['origin'],
  isNew: boolean,
): AcceptedMask {
  const size = { height: from.size[0]!, width: from.size[1]! }
  return {
    id,
    mask: decode(from.counts, size),
    counts: from.counts,
    origin,
    prompts: from.prompts.map(promptOf),
    predictedIou: from.predicted_iou ?? null,
    stability: from.stability ?? null,
    choice: null,
    seconds: null,
    clicks: from.prompts.length,
    isNew,
    replaces: from.replaces ?? null,
    locked: false,
    cropBox: (from.crop_box as AcceptedMask['cropBox'] | undefined) ?? null,
  }
}
