import { expect, test } from 'vitest'
import { type Door, Uploader } from '@/features/importing/uploader'
import { ApiError, Unreachable } from '@/shared/api/client'

const WORDS = { network: 'no network', login: 'no login', unreadable: 'gone' }

/** A server with a memory, and a network that a test may cut. */
class Server {
  readonly there = new Set<string>()
  readonly sent: string[] = []
  readonly waited: string[] = []
  /** Names of files that are on the disk no more. */
  readonly gone = new Set<string>()
  /** What the next requests meet with instead of an answer. */
  trouble: Error[] = []
  mostAtOnce = 0
  private atOnce = 0

  door(uploader: () => Uploader): Door {
    return {
      hash: async file => (file.name.endsWith('.zip') ? null : file.name),
      known: async hashes => {
        this.meet()
        return hashes.filter(hash => this.there.has(hash))
      },
      send: async file => {
        this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce)
        await Promise.resolve()
        this.atOnce--
        if (this.gone.has(file.name)) throw new Unreachable() // as the browser says it
        this.meet()
        this.sent.push(file.name)
        if (file.name.startsWith('bad'))
          return { imported: 0, alreadyThere: 0, refused: [{ name: file.name, reason: 'no photo' }] }
        this.there.add(file.name)
        return { imported: 1, alreadyThere: 0, refused: [] }
      },
      isReadable: async file => !this.gone.has(file.name),
      pause: async () => {
        this.waited.push(uploader().progress.waitsFor ?? 'a little')
      },
    }
  }

  private meet() {
    const trouble = this.trouble.shift()
    if (trouble) throw trouble
  }
}

function begin() {
  const server = new Server()
  const uploader: Uploader = new Uploader(
    server.door(() => uploader),
    WORDS,
  )
  return { server, uploader, end: () => expect.poll(() => uploader.isRunning).toBe(false) }
}

const files = (...names: string[]) => names.map(name => new File(['x'], name))
const many = (count: number) => files(...Array.from({ length: count }, (_, index) => `${index}.jpg`))

test('thousands of files arrive, a few at a time', async () => {
  const { server, uploader, end } = begin()
  uploader.add(many(2000))
  await end()
  expect(uploader.progress).toMatchObject({ all: 2000, done: 2000, imported: 2000, failures: [] })
  expect(new Set(server.sent).size).toBe(2000)
  expect(server.mostAtOnce).toBeGreaterThan(1)
  expect(server.mostAtOnce).toBeLessThanOrEqual(3)
})

test('after a reload the same files go on where they stopped', async () => {
  const { server, uploader, end } = begin()
  for (let index = 0; index < 60; index++) server.there.add(`${index}.jpg`)
  uploader.add(many(100))
  await end()
  expect(uploader.progress).toMatchObject({ done: 100, alreadyThere: 60, imported: 40 })
  expect(server.sent.length).toBe(40)
})

test('a file that was moved or changed after it was chosen is named, and the others arrive', async () => {
  const { server, uploader, end } = begin()
  server.gone.add('1.jpg')
  uploader.add(many(3))
  await end()
  expect(uploader.progress).toMatchObject({ done: 3, imported: 2, waitsFor: null })
  expect(uploader.progress.failures).toMatchObject([{ name: '1.jpg', reason: 'gone' }])
  server.gone.clear()
  uploader.retry()
  await end()
  expect(uploader.progress).toMatchObject({ imported: 1, failures: [] })
})

test('a network or a login that is gone is waited for, and nothing fails', async () => {
  const { server, uploader, end } = begin()
  server.trouble = [
    new Unreachable(),
    new Unreachable(),
    new ApiError(401, 'not_logged_in', ''),
    new Unreachable(),
  ]
  uploader.add(many(5))
  await end()
  expect(uploader.progress).toMatchObject({ done: 5, imported: 5, failures: [], waitsFor: null })
  expect(server.waited).toEqual(expect.arrayContaining(['no network', 'no login']))
})

test('a file that is no photo is named with its reason and not sent again', async () => {
  const { server, uploader, end } = begin()
  uploader.add(files('a.jpg', 'bad.txt'))
  await end()
  expect(uploader.progress.failures).toEqual([{ name: 'bad.txt', reason: 'no photo', file: null }])
  uploader.retry()
  await end()
  expect(server.sent).toHaveLength(2)
})

test('what the server could not take is kept, and sent again when asked', async () => {
  const { server, uploader, end } = begin()
  server.trouble = [0, 1, 2].map(() => new ApiError(500, 'fault', 'The server stumbled.'))
  uploader.add(files('a.zip'))
  await end()
  expect(uploader.progress.failures.map(({ reason }) => reason)).toEqual(['The server stumbled.'])
  uploader.retry()
  await end()
  expect(uploader.progress).toMatchObject({ imported: 1, failures: [] })
})

test('no more than two files are in memory to be hashed', async () => {
  const server = new Server()
  let [now, most] = [0, 0]
  const uploader: Uploader = new Uploader(
    {
      ...server.door(() => uploader),
      hash: async file => {
        most = Math.max(most, ++now)
        await Promise.resolve()
        now--
        return file.name
      },
    },
    WORDS,
  )
  uploader.add(many(50))
  await expect.poll(() => uploader.progress.done).toBe(50)
  expect(most).toBe(2)
})

test('stopping sends nothing more of the files that were about to be sent', async () => {
  const { server, uploader, end } = begin()
  const stop = uploader.subscribe(() => uploader.progress.imported && (stop(), uploader.stop()))
  uploader.add(many(24))
  await end()
  expect(server.sent.length).toBeLessThanOrEqual(4)
  expect(uploader.progress.all).toBe(uploader.progress.done)
})

test('choosing nothing keeps what the last import said', async () => {
  const { uploader, end } = begin()
  uploader.add(many(2))
  await end()
  uploader.add([])
  expect(uploader.progress.imported).toBe(2)
})

test('stopping leaves what is not sent', async () => {
  const { server, uploader, end } = begin()
  uploader.add(many(500))
  uploader.stop()
  await end()
  expect(server.sent.length).toBeLessThan(30)
  uploader.add(many(500))
  await end()
  expect(server.there.size).toBe(500)
})

test('what could not be read is named beside what arrives, and alone too', async () => {
  const { server, uploader, end } = begin()
  const lost = { name: 'folder/locked.jpg', reason: 'It could not be read.' }
  uploader.add(many(3), [lost])
  await end()
  expect(uploader.progress).toMatchObject({ all: 4, done: 4, imported: 3, failures: [{ ...lost, file: null }] })
  uploader.add([], [lost])
  expect(uploader.isRunning).toBe(false)
  expect(uploader.progress).toMatchObject({ all: 1, done: 1, imported: 0, failures: [{ ...lost, file: null }] })
  expect(server.sent).toHaveLength(3)
})
