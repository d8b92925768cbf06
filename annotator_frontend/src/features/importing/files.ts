/** Files out of what a person drops or chooses: folders are walked, and what no photo is called is passed over. */

const NOISE = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/i

export type Handle = FileSystemHandle

/** What could be read, and the names, with their folders, of what could not: a file may be gone, or nobody's to read. */
export interface Found {
  files: File[]
  unreadable: string[]
}

/** Must be called while the drop is handled; what it returns may be awaited. */
export function dropped(transfer: DataTransfer): { found: Promise<Found>; handles: Promise<Handle[]> } {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file')
  const asked = items.map(item => handleOf(item))
  const entries = items.map(item => item.webkitGetAsEntry())
  const plain = [...transfer.files]
  const handles = Promise.all(asked).then(all => all.filter(handle => handle !== null))
  const found = Promise.all(
    entries.map((entry, index) => (entry ? walkEntry(entry) : readable(plain[index]!))),
  ).then(joined)
  return { found, handles }
}

export function withoutNoise(files: readonly File[]): File[] {
  return files.filter(
    file => !(file.webkitRelativePath || file.name).split('/').some(part => NOISE.test(part)),
  )
}

/** Everything under handles that an earlier page kept, once the person allows it again; null: they, or the browser, do not. */
export async function filesOf(handles: readonly Handle[]): Promise<Found | null> {
  for (const handle of handles) {
    const asking = handle as Handle & {
      requestPermission?: (how: { mode: 'read' }) => Promise<PermissionState>
    }
    // A browser may ask nobody at all: so late after the click, or because of how it is set up.
    const said = await asking.requestPermission?.({ mode: 'read' }).catch(() => 'denied')
    if (said !== 'granted') return null
  }
  return joined(await Promise.all(handles.map(handle => walkHandle(handle))))
}

const NOTHING: Found = { files: [], unreadable: [] }
const readable = (file: File): Found => ({ files: [file], unreadable: [] })
const unreadable = (name: string): Found => ({ files: [], unreadable: [name] })

function joined(all: readonly Found[]): Found {
  return { files: all.flatMap(({ files }) => files), unreadable: all.flatMap(own => own.unreadable) }
}

async function handleOf(item: DataTransferItem): Promise<Handle | null> {
  const asking = item as DataTransferItem & { getAsFileSystemHandle?: () => Promise<Handle | null> }
  return (await asking.getAsFileSystemHandle?.().catch(() => null)) ?? null
}

async function walkHandle(handle: Handle, within = ''): Promise<Found> {
  if (NOISE.test(handle.name)) return NOTHING
  const name = within + handle.name
  if (handle.kind === 'file') {
    return (handle as FileSystemFileHandle).getFile().then(readable, () => unreadable(name))
  }
  const found: Found[] = []
  const folder = handle as FileSystemDirectoryHandle & { values: () => AsyncIterable<Handle> }
  try {
    for await (const inside of folder.values()) found.push(await walkHandle(inside, `${name}/`))
  } catch {
    found.push(unreadable(name))
  }
  return joined(found)
}

async function walkEntry(entry: FileSystemEntry): Promise<Found> {
  if (NOISE.test(entry.name)) return NOTHING
  const name = entry.fullPath.replace(/^\//, '')
  if (entry.isFile) {
    const file = new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    return file.then(readable, () => unreadable(name))
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: Found[] = []
  try {
    for (;;) {
      // A folder is read a hundred at a time, until nothing comes.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      )
      if (!some.length) break
      for (const inside of some) found.push(await walkEntry(inside))
    }
  } catch {
    found.push(unreadable(name))
  }
  return joined(found)
}
