import { answer, api, type Schemas } from '@/shared/api/client'
import { type Door, type Progress, Uploader } from './uploader'
import { isReadable, untilOnline, uploadWords } from './uploads'

/** Files of masks on their way to a dataset. A file that was sent before does no harm, so nothing of it is kept over a reload. */
export class MaskUploads {
  /** What was said of a file when it was chosen; it is sent with it, the second time, too. */
  private readonly complete = new WeakSet<File>()
  private readonly uploader: Uploader

  constructor(dataset: string, send: Send = sendMasks) {
    this.uploader = new Uploader(
      {
        hash: async () => null,
        known: async () => [],
        send: file => send(dataset, file, this.complete.has(file)),
        isReadable,
        pause: untilOnline,
      },
      uploadWords(),
    )
  }

  get progress(): Progress {
    return this.uploader.progress
  }

  subscribe = (listener: () => void): (() => void) => this.uploader.subscribe(listener)

  /** @param isComplete nothing is left to label on their photos. */
  send(files: readonly File[], isComplete: boolean): void {
    for (const file of files) {
      if (isComplete) this.complete.add(file)
      else this.complete.delete(file)
    }
    this.uploader.add(files)
  }

  stop(): void {
    this.uploader.stop()
  }

  retry(): void {
    this.uploader.retry()
  }
}

type Send = (dataset: string, file: File, isComplete: boolean) => ReturnType<Door['send']>

const sendMasks: Send = async (dataset, file, isComplete) => {
  const form = new FormData()
  form.append('file', file)
  form.append('complete', String(isComplete))
  const report: Schemas['MaskReportJson'] = await answer(
    api.POST('/api/datasets/{dataset_id}/masks/', {
      params: { path: { dataset_id: dataset } },
      body: form as never,
      bodySerializer: body => body as unknown as FormData,
    }),
  )
  return {
    imported: report.added,
    alreadyThere: report.already_there,
    refused: report.refused.map(({ name, message }) => ({ name, reason: message })),
  }
}

const all = new Map<string, MaskUploads>()

/** One for each dataset, for as long as this page lives, whichever part of it is shown. */
export function maskUploadsOf(dataset: string): MaskUploads {
  const own = all.get(dataset) ?? new MaskUploads(dataset)
  all.set(dataset, own)
  return own
}
