import { createStore, type StoreApi } from 'zustand/vanilla'

export const ORDERS = ['order', 'size', 'confidence'] as const
export type Order = (typeof ORDERS)[number]

export interface LookState {
  /** Opacity of the masks' insides, 0 to 1. */
  fill: number
  /** All other masks are out of sight. */
  isolated: string | null
  /** Under the hand, on the canvas or in the list. */
  hovered: string | null
  order: Order
}

export const FILL_STEP = 0.1
const REMEMBERED = 'maskloop.look'

/** How masks are shown: no part of what is saved. Opacity and order are remembered by this browser. */
export class Look {
  readonly store: StoreApi<LookState>

  constructor(private readonly memory: () => Storage) {
    this.store = createStore<LookState>(() => ({
      fill: 0.3,
      order: 'order',
      ...this.recall(),
      isolated: null,
      hovered: null,
    }))
  }

  setFill(fill: number): void {
    this.store.setState({ fill: Math.min(Math.max(Math.round(100 * fill) / 100, 0), 1) })
    this.remember()
  }

  setOrder(order: Order): void {
    this.store.setState({ order })
    this.remember()
  }

  hover(id: string | null): void {
    if (this.store.getState().hovered !== id) this.store.setState({ hovered: id })
  }

  /** All again, where one of these is out of sight: what is selected is seen, so that nothing is removed or merged unseen. */
  reveal(ids: readonly string[]): void {
    if (
      inSight(
        ids.map(id => ({ id })),
        this.store.getState(),
      ).length < ids.length
    )
      this.store.setState({ isolated: null })
  }

  /** Show one alone, or all again. Returns whether anything changed. */
  isolate(id: string | null): boolean {
    const { isolated } = this.store.getState()
    const next = isolated === null ? id : null
    this.store.setState({ isolated: next })
    return next !== isolated
  }

  /** The masks have changed: what came in the place of the one that is shown alone is; anything else that is new ends it. */
  follow(now: readonly { id: string }[], before: readonly { id: string }[]): void {
    const { isolated } = this.store.getState()
    if (isolated === null || now === before) return
    const [present, past] = [idsOf(now), idsOf(before)]
    const came = now.filter(({ id }) => !past.has(id))
    const heir = now[before.findIndex(({ id }) => id === isolated)]
    let next = present.has(isolated) && !came.length ? isolated : null
    if (!present.has(isolated) && heir && came.length === 1 && came[0] === heir) next = heir.id
    if (next !== isolated) this.store.setState({ isolated: next })
  }

  /** Another photo. */
  reset(): void {
    this.store.setState({ isolated: null, hovered: null })
  }

  private remember(): void {
    const { fill, order } = this.store.getState()
    try {
      this.memory().setItem(REMEMBERED, JSON.stringify({ fill, order }))
    } catch {
      // Forbidden or full: not remembered, that is all.
    }
  }

  private recall(): Partial<LookState> {
    try {
      const { fill, order } = JSON.parse(this.memory().getItem(REMEMBERED) ?? '{}') as Record<string, unknown>
      return {
        ...(typeof fill === 'number' && fill >= 0 && fill <= 1 ? { fill } : {}),
        ...(ORDERS.includes(order as Order) ? { order: order as Order } : {}),
      }
    } catch {
      return {}
    }
  }
}

/** Those that are shown, and so those that a hand can mean. */
export function inSight<Own extends { id: string }>(
  masks: readonly Own[],
  { isolated }: Pick<LookState, 'isolated'>,
): readonly Own[] {
  return isolated === null ? masks : masks.filter(({ id }) => id === isolated)
}

function idsOf(masks: readonly { id: string }[]): ReadonlySet<string> {
  return new Set(masks.map(({ id }) => id))
}
