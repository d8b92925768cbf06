import { expect, test } from 'vitest'
import { MaskUploads } from '@/features/importing/maskUploads'

test('a file of masks that failed is sent again as it was sent first, whatever was said of others since', async () => {
  const sent: [string, boolean][] = []
  let isBroken = true
  const uploads = new MaskUploads('dataset', async (_, file, isComplete) => {
    sent.push([file.name, isComplete])
    if (isBroken) throw new Error('no')
    return { imported: 1, alreadyThere: 0, refused: [] }
  })
  const settled = () => expect.poll(() => uploads.progress.done).toBe(uploads.progress.all)
  uploads.send([new File(['x'], 'some.png')], false)
  uploads.send([new File(['x'], 'all.png')], true)
  await settled()
  isBroken = false
  uploads.retry()
  await settled()
  expect(sent.toSorted()).toEqual([
    ['all.png', true],
    ['all.png', true],
    ['some.png', false],
    ['some.png', false],
  ])
  expect(uploads.progress).toMatchObject({ imported: 2, failures: [] })
})
