import { IN_WORK, PALETTE, type Rgb } from '../editor/colours'
import type { EditorState } from '../editor/editor'
import { inSight, type LookState } from '../editor/look'
import type { ShownMask } from './painter/protocol'

type Input = Pick<EditorState, 'masks' | 'candidates' | 'chosen' | 'selected'> &
  Partial<Pick<EditorState, 'alsoSelected'>> &
  Pick<LookState, 'fill' | 'isolated' | 'hovered'> & { colours: ReadonlyMap<string, Rgb> }

/** What is drawn of a photo's masks, lowest first: those accepted, the one under the hand, the one in work. */
export function shownMasks(input: Input): ShownMask[] {
  const { masks, candidates, chosen, selected, alsoSelected = [], fill, isolated, hovered, colours } = input
  const accepted = inSight(masks, { isolated }).map(({ id, mask, locked }): ShownMask => {
    const colour = colours.get(id) ?? PALETTE[0]!
    if (locked) return { id, mask, style: { colour, fill: fill / 3, line: 1, isDashed: true } }
    if (id === selected || alsoSelected.includes(id))
      return { id, mask, style: { colour, fill: Math.min(fill + 0.25, 1), line: 2 } }
    if (id === hovered) return { id, mask, style: { colour, fill: Math.min(fill + 0.15, 1), line: 2 } }
    return { id, mask, style: { colour, fill: selected ? fill / 2 : fill, line: 1 } }
  })
  const others = candidates.flatMap(({ mask }, index): ShownMask[] =>
    index === chosen
      ? []
      : [
          {
            id: `candidate ${index}`,
            mask,
            style: { colour: IN_WORK, fill: 0, line: 1, isDashed: true },
            isInWork: true,
          },
        ],
  )
  const inWork = candidates[chosen]
  const style = { colour: IN_WORK, fill: Math.max(fill, 0.15), line: 2 }
  return [
    ...accepted,
    ...others,
    ...(inWork ? [{ id: `candidate ${chosen}`, mask: inWork.mask, style, isInWork: true }] : []),
  ]
}
