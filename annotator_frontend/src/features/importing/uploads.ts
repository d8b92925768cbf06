import { del, get, set } from 'idb-keyval'
import { useSyncExternalStore } from 'react'
import { answer, api, type Schemas } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { type Found, type Handle, withoutNoise } from './files'
import { type Door, nameOf, type Progress, Uploader } from './uploader'

const HASHED_UP_TO_BYTES = 256 << 20
const KEPT_EVERY_MS = 1000

/** What another page, after a reload, knows of an import that was not finished. */
export interface Unfinished {
  all: number
  done: number
  /** What was dropped, where the browser can open it again; else the person chooses it again. */
  handles: Handle[]
}

const uploaders = new Map<string, Uploader>()
const handlesOf = new Map<string, Handle[]>()

/** One for each dataset, for as long as this page lives, whichever part of it is shown. */
export function uploaderOf(dataset: string): Uploader {
  const known = uploaders.get(dataset)
  if (known) return known
  const made = new Uploader(doorOf(dataset), uploadWords())
  uploaders.set(dataset, made)
  let timer: ReturnType<typeof setTimeout> | undefined
  made.subscribe(() => {
    if (made.isRunning) {
      timer ??= setTimeout(() => {
        timer = undefined
        if (made.isRunning) void keep(dataset, made.progress)
      }, KEPT_EVERY_MS)
    } else {
      clearTimeout(timer)
      timer = undefined
      handlesOf.delete(dataset)
      void del(keyOf(dataset)).catch(() => {})
    }
  })
  window.addEventListener('beforeunload', event => {
    if (made.isRunning) event.preventDefault()
  })
  return made
}

export function useUploads(dataset: string): [Progress, Uploader] {
  const uploader = uploaderOf(dataset)
  const progress = useSyncExternalStore(uploader.subscribe, () => uploader.progress)
  return [progress, uploader]
}

export function addFiles(dataset: string, found: Found, handles: readonly Handle[] = []): void {
  const files = withoutNoise(found.files)
  const unreadable = found.unreadable.map(name => ({ name, reason: t('It could not be read.') }))
  const uploader = uploaderOf(dataset)
  if (files.length) handlesOf.set(dataset, [...(handlesOf.get(dataset) ?? []), ...handles])
  uploader.add(files, unreadable)
  if (uploader.isRunning) void keep(dataset, uploader.progress)
}

export async function unfinishedOf(dataset: string): Promise<Unfinished | null> {
  if (uploaders.get(dataset)?.isRunning) return null
  return (await get<Unfinished>(keyOf(dataset)).catch(() => null)) ?? null
}

export function forgetUnfinished(dataset: string): Promise<void> {
  return del(keyOf(dataset)).catch(() => {})
}

async function keep(dataset: string, { all, done }: Progress): Promise<void> {
  const handles = handlesOf.get(dataset) ?? []
  // A browser that keeps no handles, or nothing at all, still uploads.
  await set(keyOf(dataset), { all, done, handles } satisfies Unfinished).catch(() => {})
}

const keyOf = (dataset: string) => `import:${dataset}`

function doorOf(dataset: string): Door {
  const params = { path: { dataset_id: dataset } }
  return {
    hash: async file => {
      if (!crypto.subtle || file.size > HASHED_UP_TO_BYTES || /\.zip$/i.test(file.name)) return null
      const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
      return [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, '0')).join('')
    },
    known: async hashes => {
      const { known } = await answer(
        api.POST('/api/datasets/{dataset_id}/known/', { params, body: { hashes } }),
      )
      return known
    },
    send: async file => {
      const form = new FormData()
      form.append('files', file)
      const report: Schemas['ImportReportJson'] = await answer(
        api.POST('/api/datasets/{dataset_id}/upload/', {
          params,
          body: form as never,
          bodySerializer: body => body as unknown as FormData,
        }),
      )
      return {
        imported: report.imported.length,
        alreadyThere: report.already_there.length,
        refused: report.refused.map(({ file_name, message }) => ({
          name: file_name === file.name ? nameOf(file) : `${nameOf(file)}: ${file_name}`,
          reason: message,
        })),
      }
    },
    isReadable,
    pause: untilOnline,
  }
}

/** What an uploader says of itself. */
export const uploadWords = () => ({
  network: t('Waiting for the network.'),
  login: t('Waiting for you to log in again.'),
  unreadable: t('It was moved, deleted or changed since it was chosen.'),
})

/** Whether a chosen file can be read: one byte of it, since one that was changed on the disk gives none. */
export async function isReadable(file: File): Promise<boolean> {
  return file
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    )
}

/** After so long, or sooner when the network is back. */
export function untilOnline(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    const go = () => {
      clearTimeout(timer)
      window.removeEventListener('online', go)
      resolve()
    }
    const timer = setTimeout(go, milliseconds)
    window.addEventListener('online', go)
  })
}
