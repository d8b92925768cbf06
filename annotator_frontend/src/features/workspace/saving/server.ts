import { createStore, get, set } from 'idb-keyval'
import { ApiError, answer, api, type Schemas } from '@/shared/api/client'
import type { Journal, Operation, Server } from './outbox'

export const server: Server = {
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
  submit: async (assignment, masks) => {
    await answer(
      api.POST('/api/assignments/{assignment_id}/submit/', {
        params: { path: { assignment_id: assignment } },
        body: { masks },
      }),
    )
  },
  reopen: async image =>
    (await answer(api.POST('/api/images/{image_id}/open/', { params: { path: { image_id: image } } }))).id,
}

/** In IndexedDB, each person's apart: another one who logs in here does not send what is not theirs. */
export function journalOf(user: string): Journal {
  const store = createStore('maskloop', 'journal')
  return {
    read: async () => (await get<Operation[]>(user, store)) ?? [],
    write: operations => set(user, operations, store),
  }
}
