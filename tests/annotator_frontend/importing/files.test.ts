import { expect, test } from 'vitest'
import { dropped, filesOf, type Handle } from '@/features/importing/files'

const fails = new DOMException('A requested file could not be read.', 'NotReadableError')
const nameOf = (path: string) => path.split('/').at(-1)!

function fileEntry(path: string, isReadable = true) {
  const file = (resolve: (file: File) => void, reject: (error: unknown) => void) =>
    isReadable ? resolve(new File(['x'], nameOf(path))) : reject(fails)
  return { name: nameOf(path), fullPath: `/${path}`, isFile: true, file }
}

/** A folder that is read two at a time, and breaks after so many reads. */
function folderEntry(path: string, inside: { name: string }[], breaksAfter = Infinity) {
  const createReader = () => {
    let reads = 0
    const readEntries = (resolve: (some: unknown[]) => void, reject: (error: unknown) => void) =>
      reads === breaksAfter ? reject(fails) : resolve(inside.slice(2 * reads, 2 * ++reads))
    return { readEntries }
  }
  return { name: nameOf(path), fullPath: `/${path}`, isFile: false, createReader }
}

const drop = (...entries: unknown[]) =>
  dropped({
    items: entries.map(entry => ({ kind: 'file', webkitGetAsEntry: () => entry })),
    files: entries.map((_, index) => new File(['x'], `plain ${index}`)),
  } as unknown as DataTransfer).found

const names = (files: readonly File[]) => files.map(({ name }) => name)

test('of a drop all is taken that can be read, and what cannot is named', async () => {
  const folder = folderEntry('folder', [
    fileEntry('folder/a.jpg'),
    fileEntry('folder/locked.jpg', false),
    fileEntry('folder/.hidden', false),
    folderEntry('folder/inside', [fileEntry('folder/inside/b.jpg')]),
  ])
  const found = await drop(fileEntry('gone.jpg', false), folder, null, fileEntry('c.jpg'))
  expect(names(found.files)).toEqual(['a.jpg', 'b.jpg', 'plain 2', 'c.jpg'])
  expect(found.unreadable).toEqual(['gone.jpg', 'folder/locked.jpg'])
})

test('of a folder whose reading breaks off, what came before is taken, and the folder is named', async () => {
  const some = ['a', 'b', 'c', 'd'].map(name => fileEntry(`folder/${name}`))
  const found = await drop(folderEntry('folder', some, 1), fileEntry('c.jpg'))
  expect(names(found.files)).toEqual(['a', 'b', 'c.jpg'])
  expect(found.unreadable).toEqual(['folder'])
})

test.each([
  ['they say no', async () => 'denied'],
  [
    'the browser asks nobody',
    async () => {
      throw new DOMException('User activation is required.', 'SecurityError')
    },
  ],
])('nothing is found where a person does not allow it again, or cannot: %s', async (_, requestPermission) => {
  expect(await filesOf([{ name: 'folder', kind: 'directory', requestPermission }] as unknown as Handle[])).toBeNull()
})

test('an import that goes on after a reload takes what can still be read', async () => {
  const handle = (name: string, isReadable = true) => ({
    name,
    kind: 'file',
    getFile: async () => {
      if (!isReadable) throw fails
      return new File(['x'], name)
    },
  })
  const folder = (isReadable: boolean) => ({
    name: 'folder',
    kind: 'directory',
    requestPermission: async () => 'granted',
    values: async function* () {
      yield handle('a.jpg')
      yield handle('gone.jpg', false)
      if (!isReadable) throw fails
      yield handle('b.jpg')
    },
  })
  const found = await filesOf([folder(true), folder(false)] as unknown as Handle[])
  expect(names(found!.files)).toEqual(['a.jpg', 'b.jpg', 'a.jpg'])
  expect(found!.unreadable).toEqual(['folder/gone.jpg', 'folder/gone.jpg', 'folder'])
})
