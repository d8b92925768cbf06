import { createStore, del, entries, get, set } from 'idb-keyval'
import { ApiError, answer, api, type Schemas } from '@/shared/api/client'
import { type Journal, type Operation, Outbox, type Server } from './outbox'

const at = (assignment: string) => ({ params: { path: { assignment_id: assignment } } })

const server: Server = {
  put: async (id, body) => {
    await answer(
      api.PUT('/api/masks/{mask_id}/', {
        params: { path: { mask_id: id } },
        body: body as unknown as Schemas['MaskFormRequest'],
      }),
    )
  },
  remove: async id => {
    try {
      await answer(api.DELETE('/api/masks/{mask_id}/', { params: { path: { mask_id: id } } }))
    } catch (error) {
      // Gone already: what was wanted.
      if (!(error instanceof ApiError && error.status === 404)) throw error
    }
  },
  submit: async (assignment, masks, complete) => {
    const body = { masks, complete }
    await answer(api.POST('/api/assignments/{assignment_id}/submit/', { ...at(assignment), body }))
  },
  skip: async (assignment, reason) => {
    await answer(api.POST('/api/assignments/{assignment_id}/skip/', { ...at(assignment), body: { reason } }))
  },
  release: async assignment => {
    await answer(api.POST('/api/assignments/{assignment_id}/release/', at(assignment)))
  },
  reopen: async image =>
    (await answer(api.POST('/api/images/{image_id}/open/', { params: { path: { image_id: image } } }))).id,
}

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
    outbox = new Outbox(server, journalOf(user))
    outboxes.set(user, outbox)
  }
  return outbox
}
