import type { AcceptedMask, Document } from './document'

const MOST_STEPS = 200
/** What answers in the steps may take. These many steps are kept whatever they take. */
const MOST_BYTES = 256 * 2 ** 20
const LEAST_STEPS = 20

/** The steps, and the newest one: as many as may be kept. */
export function stepped(steps: readonly Document[], newest: Document): readonly Document[] {
  return withinMemory([...steps, newest].slice(-MOST_STEPS))
}

function withinMemory(steps: readonly Document[]): readonly Document[] {
  let bytes = 0
  let first = steps.length
  while (first > 0 && (bytes <= MOST_BYTES || steps.length - first < LEAST_STEPS)) {
    first--
    const { candidates } = steps[first]!
    // Steps that left the answers alone share them.
    if (candidates !== steps[first + 1]?.candidates) {
      for (const { logits, mask } of candidates) bytes += logits.byteLength + mask.bits.byteLength
    }
  }
  return first ? steps.slice(first) : steps
}

/** A mask that is to be on the photo again, and which of those that go it takes the place of. */
export interface Return {
  mask: AcceptedMask
  replaces: string | null
}

/** What makes one set of masks of another. */
export interface Way {
  back: readonly Return[]
  /** What goes and has nothing in its place. */
  removed: readonly string[]
}

/** From the masks on the photo to those of a step. */
export function wayTo(wanted: readonly AcceptedMask[], present: readonly AcceptedMask[]): Way {
  let going = present.filter(({ id }) => !has(wanted, id))
  const back: Return[] = []
  for (const mask of wanted) {
    if (has(present, mask.id)) continue
    const replaces = partnerOf(mask, going)
    going = going.filter(({ id }) => id !== replaces)
    back.push({ mask, replaces })
  }
  return { back, removed: going.map(({ id }) => id) }
}

/** Of masks that go: the one in whose place another comes back. */
function partnerOf(back: AcceptedMask, out: readonly AcceptedMask[]): string | null {
  return out.find(gone => gone.replaces === back.id || back.replaces === gone.id)?.id ?? null
}

function has(masks: readonly AcceptedMask[], wanted: string): boolean {
  return masks.some(({ id }) => id === wanted)
}

/** Other ids in the place of ids that the server does not take back. Documents that name none of them stay as they are. */
export function renamed(document: Document, renames: ReadonlyMap<string, AcceptedMask>): Document {
  const idOf = (id: string | null) => (id === null ? null : (renames.get(id)?.id ?? id))
  const masks = document.masks.map(mask => {
    const own = renames.get(mask.id) ?? mask
    const replaces = idOf(own.replaces)
    return replaces === own.replaces ? own : { ...own, replaces }
  })
  const isSame = masks.every((mask, index) => mask === document.masks[index])
  const refines = idOf(document.refines)
  return isSame && refines === document.refines ? document : { ...document, masks, refines }
}

/** What undoing one mask comes to: the newest step of all, masks for other masks, or nothing that can be undone. */
export type Unmaking = 'newest step' | { gone: readonly string[]; back: readonly Return[] } | null

/** Undo of one mask, though other things were done since its step. */
export class MaskUndo {
  /** Masks that it brought back, and what they are in the steps. */
  private readonly cameBack = new Map<string, string>()

  /** The steps have other names for masks now, or are others. */
  forget(): void {
    this.cameBack.clear()
  }

  /** `mask` is on the photo again, as `again`. */
  remember(again: string, mask: string): void {
    this.cameBack.set(again, mask)
  }

  /** @param documents all steps, and what is now. */
  of(id: string, documents: readonly Document[]): Unmaking {
    // A mask that came back so is, in the steps, the one that it was.
    const original = this.cameBack.get(id) ?? id
    let made = documents.findLastIndex(({ masks }) => has(masks, original))
    while (made > 0 && has(documents[made - 1]!.masks, original)) made--
    if (made <= 0) return null
    if (made === documents.length - 1) return 'newest step'
    const [{ masks: before }, { masks: after }] = [documents[made - 1]!, documents[made]!]
    const out = after.filter(mask => !has(before, mask.id))
    const gone = out.map(({ id: one }) => this.presentOf(one, documents.at(-1)!))
    // Another step took a part of it since: that one is to be undone first.
    if (!gone.every(one => one !== null)) return null
    const back = before.filter(mask => !has(after, mask.id))
    return {
      gone,
      back: back.map(mask => {
        const partner = partnerOf(mask, out)
        return { mask, replaces: partner && gone[out.findIndex(({ id: one }) => one === partner)]! }
      }),
    }
  }

  private presentOf(original: string, { masks }: Document): string | null {
    return masks.find(({ id }) => id === original || this.cameBack.get(id) === original)?.id ?? null
  }
}
