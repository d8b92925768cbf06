import { createStore, del, entries, get, set } from 'idb-keyval'
import { ApiError, api, type Schemas, TAB } from '@/shared/api/client'
import { mine } from '@/shared/api/mine'
import { isGone, thisTab } from '@/shared/api/tab'
import { type Journal, type Operation, Outbox, type Server } from './outbox'

/** As one window of a person's speaks to it. */
function serverFor(user: string, tab: string): Server {
  const headers = { [TAB]: tab }
  const at = (assignment: string) => ({ params: { path: { assignment_id: assignment } }, headers })
  const take = async (assignment: string) => {
    await mine(
      user,
      api.POST('/api/assignments/{assignment_id}/take/', { ...at(assignment), headers: OWN() }),
    )
    return thisTab()
  }
  return {
    put: async (id, body) => {
      const params = { path: { mask_id: id } }
      await mine(
        user,
        api.PUT('/api/masks/{mask_id}/', {
          params,
          headers,
          body: body as unknown as Schemas['MaskFormRequest'],
        }),
      )
    },
    remove: async id => {
      try {
        await mine(user, api.DELETE('/api/masks/{mask_id}/', { params: { path: { mask_id: id } }, headers }))
      } catch (error) {
        // Gone already: what was wanted.
        if (!(error instanceof ApiError && error.status === 404)) throw error
      }
    },
    submit: async (assignment, masks, complete) => {
      const body = { masks, complete }
      await mine(user, api.POST('/api/assignments/{assignment_id}/submit/', { ...at(assignment), body }))
    },
    skip: async (assignment, reason) => {
      await mine(
        user,
        api.POST('/api/assignments/{assignment_id}/skip/', { ...at(assignment), body: { reason } }),
      )
    },
    release: async assignment => {
      await mine(user, api.POST('/api/assignments/{assignment_id}/release/', at(assignment)))
    },
    reopen: async image => {
      const params = { path: { image_id: image } }
      return mine(user, api.POST('/api/images/{image_id}/open/', { params, headers }))
    },
    succeed: async (assignment, holder) => {
      if (holder === thisTab()) return holder
      return (await isGone(holder)) ? take(assignment) : null
    },
    take,
  }
}

const OWN = () => ({ [TAB]: thisTab() })

/** In IndexedDB, each person's apart: another one who logs in here does not send what is not theirs. */
function journalOf(user: string): Journal {
  const store = createStore('maskloop', 'journal')
  const prefix = `${user}/`
  return {
    read: async () =>
      (await entries<string, Operation>(store))
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, operation]) => ({ name: key.slice(prefix.length), operation }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    has: async name => (await get(prefix + name, store)) !== undefined,
    write: ({ name, operation }) => set(prefix + name, operation, store),
    remove: name => del(prefix + name, store),
    alone: async send => {
      if (navigator.locks) await navigator.locks.request(`maskloop-outbox-${user}`, send)
      else await send()
    },
  }
}

const outboxes = new Map<string, Outbox>()

/** One for each person, for as long as the page lives: what is unsent goes on being sent wherever they go. */
export function outboxOf(user: string): Outbox {
  let outbox = outboxes.get(user)
  if (!outbox) {
    const made = new Outbox(tab => serverFor(user, tab ?? thisTab()), journalOf(user), Date.now, thisTab)
    window.addEventListener('online', () => made.kick())
    window.addEventListener('beforeunload', event => made.isOnlyHere && event.preventDefault())
    outboxes.set(user, made)
    outbox = made
  }
  return outbox
}
