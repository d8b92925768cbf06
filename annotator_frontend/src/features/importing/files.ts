/** Files out of what a person drops or chooses: folders are walked, and what no photo is called is passed over. */

const NOISE = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/i

export type Handle = FileSystemHandle

/** Must be called while the drop is handled; what it returns may be awaited. */
export function dropped(transfer: DataTransfer): { files: Promise<File[]>; handles: Promise<Handle[]> } {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file')
  const asked = items.map(item => handleOf(item))
  const entries = items.map(item => item.webkitGetAsEntry())
  const plain = [...transfer.files]
  const handles = Promise.all(asked).then(found => found.filter(handle => handle !== null))
  const files = Promise.all(
    entries.map((entry, index) => (entry ? walkEntry(entry) : Promise.resolve([plain[index]!]))),
  ).then(found => found.flat())
  return { files, handles }
}

export function withoutNoise(files: readonly File[]): File[] {
  return files.filter(
    file => !(file.webkitRelativePath || file.name).split('/').some(part => NOISE.test(part)),
  )
}

/** Everything under handles that an earlier page kept, once the person allows it again; null: they do not. */
export async function filesOf(handles: readonly Handle[]): Promise<File[] | null> {
  for (const handle of handles) {
    const asking = handle as Handle & {
      requestPermission?: (how: { mode: 'read' }) => Promise<PermissionState>
    }
    if ((await asking.requestPermission?.({ mode: 'read' })) !== 'granted') return null
  }
  return (await Promise.all(handles.map(walkHandle))).flat()
}

async function handleOf(item: DataTransferItem): Promise<Handle | null> {
  const asking = item as DataTransferItem & { getAsFileSystemHandle?: () => Promise<Handle | null> }
  return (await asking.getAsFileSystemHandle?.().catch(() => null)) ?? null
}

async function walkHandle(handle: Handle): Promise<File[]> {
  if (NOISE.test(handle.name)) return []
  if (handle.kind === 'file') return [await (handle as FileSystemFileHandle).getFile()]
  const found: File[] = []
  const folder = handle as FileSystemDirectoryHandle & { values: () => AsyncIterable<Handle> }
  for await (const inside of folder.values()) found.push(...(await walkHandle(inside)))
  return found
}

async function walkEntry(entry: FileSystemEntry): Promise<File[]> {
  if (NOISE.test(entry.name)) return []
  if (entry.isFile) {
    return [
      await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    ]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: File[] = []
  for (;;) {
    // A folder is read a hundred at a time, until nothing comes.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (!some.length) return found
    for (const inside of some) found.push(...(await walkEntry(inside)))
  }
}
