import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PainterClient } from '@/features/workspace/canvas/painter/client'
import { apart, Painter } from '@/features/workspace/canvas/painter/painter'
import { drawMask, Shapes } from '@/features/workspace/canvas/painter/plate'
import type { Scene, Shown, ToPainter } from '@/features/workspace/canvas/painter/protocol'
import { Pyramid } from '@/features/workspace/canvas/painter/pyramid'
import type { Bitmask } from '@/shared/geometry/bitmask'
import { type RowRuns, runsOf } from '@/shared/geometry/rowRuns'
import { numbers } from '../shared/plain'

/** A canvas that keeps the pixels that are put into it, and what is drawn on it. */
class FakeCanvas {
  drawn: unknown[] = []
  put = 0
  image: FakeImageData | null = null
  className = ''
  isGone = false
  constructor(
    public width = 1,
    public height = 1,
  ) {}
  getContext() {
    const canvas = this
    return {
      canvas,
      clearRect: () => (canvas.drawn = []),
      drawImage: (source: unknown) => canvas.drawn.push(source),
      putImageData: (image: FakeImageData) => {
        canvas.put++
        canvas.image = image
      },
    }
  }
  remove() {
    this.isGone = true
  }
  transferControlToOffscreen() {
    return new FakeCanvas()
  }
}

class FakeImageData {
  static made = 0
  data: Uint8ClampedArray
  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    FakeImageData.made++
    this.data = new Uint8ClampedArray(4 * width * height)
  }
}

class FakeWorker {
  static last: FakeWorker
  heard: ToPainter[] = []
  onerror: (() => void) | null = null
  isEnded = false
  constructor() {
    FakeWorker.last = this
  }
  postMessage(message: ToPainter) {
    this.heard.push(message)
  }
  terminate() {
    this.isEnded = true
  }
}

beforeEach(() => {
  FakeImageData.made = 0
  vi.stubGlobal('OffscreenCanvas', FakeCanvas)
  vi.stubGlobal('HTMLCanvasElement', FakeCanvas)
  vi.stubGlobal('ImageData', FakeImageData)
  vi.stubGlobal('Worker', FakeWorker)
  vi.stubGlobal('requestAnimationFrame', (paint: () => void) => setTimeout(paint, 1))
  vi.stubGlobal('document', { createElement: () => new FakeCanvas() })
})
afterEach(() => vi.unstubAllGlobals())

const STYLE = { colour: [200, 0, 0], fill: 0.4, line: 1 } as const
const square = (from: number, to: number) =>
  runsOf({ size: { width: 400, height: 300 }, box: [from, from, to, to], bits: new Uint8Array((to - from) ** 2).fill(1) })
const sceneOf = (photo: string, offsetX = 0): Scene => ({
  photo,
  view: { scale: 1, offsetX, offsetY: 0 },
  pane: { width: 100, height: 80 },
  ratio: 1,
  isHidden: false,
  region: null,
})
/** By turns and not by the clock: on a busy machine one long wait may end before anything had its turn. */
const settled = async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setTimeout(resolve, 4))
}

function painting() {
  const [photo, masks] = [new FakeCanvas(), new FakeCanvas()]
  const drawn: number[] = []
  const painter = new Painter(message => message.kind === 'drawn' && drawn.push(message.serial))
  painter.hear({ kind: 'attach', photo, masks } as unknown as ToPainter)
  const show = (ids: string[], serial: number) => {
    for (const id of ids) painter.hear({ kind: 'shape', id, runs: square(10, 30) })
    painter.hear({ kind: 'show', masks: ids.map(id => ({ id, style: STYLE })), serial })
  }
  return { painter, masks, drawn, show }
}

test('masks of one photo never lie over the next one', async () => {
  const { painter, masks, drawn, show } = painting()
  painter.hear({ kind: 'scene', scene: sceneOf('a') })
  show(['1', '2'], 1)
  await settled()
  expect(masks.drawn).toHaveLength(1)
  expect(drawn).toEqual([1])
  painter.hear({ kind: 'scene', scene: sceneOf('b') })
  await settled() // its own masks are late
  expect(masks.drawn).toHaveLength(0)
  show(['3'], 2)
  await settled()
  expect(masks.drawn).toHaveLength(1)
  expect(drawn).toEqual([1, 2])
})

test('masks that come while a plate is being made are on it, and plates are made in two rooms', async () => {
  const { painter, drawn, show } = painting()
  painter.hear({ kind: 'scene', scene: sceneOf('a') })
  for (let serial = 1; serial <= 5; serial++) show(['1', '2', '3'].slice(0, serial), serial)
  await settled()
  expect(drawn.at(-1)).toBe(5)
  for (let far = 1; far <= 6; far++) {
    painter.hear({ kind: 'scene', scene: sceneOf('a', 80 * far) })
    await settled()
  }
  expect(FakeImageData.made).toBe(2)
})

test('whatever changes, the picture is what drawing all masks anew gives', async () => {
  const { painter, masks } = painting()
  const random = numbers(3)
  const shapes = new Map<string, RowRuns>()
  painter.hear({ kind: 'scene', scene: sceneOf('a') })
  for (let serial = 1; serial <= 60; serial++) {
    const shown = Array.from({ length: 6 }, (_, id): Shown => {
      const colour = [40 * id, 200 - 30 * id, Math.floor(random() * 2) * 99] as const
      return { id: String(id), style: { ...STYLE, colour, isDashed: id === 5 }, isInWork: id > 3 }
    }).filter(() => random() < 0.8)
    const places = new Map<string, number>()
    for (const { id } of shown) {
      // Those in work are other masks at every click, the others only now and then.
      if (Number(id) < 4 && random() < 0.7 && shapes.has(id)) continue
      places.set(id, Math.floor(random() * 60))
      shapes.set(id, square(places.get(id)!, places.get(id)! + 15))
      painter.hear({ kind: 'shape', id, runs: shapes.get(id)! })
    }
    for (const id of [...shapes.keys()]) if (!shown.some(own => own.id === id)) shapes.delete(id)
    painter.hear({ kind: 'show', masks: shown, serial })
    if (serial % 3) continue
    await settled()
    const { image } = masks.drawn[0] as { image: FakeImageData }
    const [left, top] = [-30, -24]
    const wanted = { width: image.width, height: image.height, scale: 1, left, top, data: new Uint8ClampedArray(image.data.length) }
    const all = [0, 0, image.width, image.height] as const
    for (const { id, style } of shown) drawMask(wanted, new Shapes(shapes.get(id)!), style, all)
    expect(image.data.some((part, at) => part !== wanted.data[at])).toBe(false)
  }
})

test('boxes that meet are drawn once, together', () => {
  expect(apart([[0, 0, 10, 10], [20, 0, 30, 10], [5, 5, 25, 6], [50, 50, 60, 60]])).toEqual([
    [0, 0, 30, 10],
    [50, 50, 60, 60],
  ])
})

test('a painter that breaks is followed by one on the page, which has all that it had', async () => {
  const client = new PainterClient()
  const host = { prepend: () => {} } as unknown as HTMLElement
  client.attach(host, 'layer')
  const bitmap = { width: 400, height: 300, close: () => {} }
  vi.stubGlobal('createImageBitmap', async () => bitmap)
  const loading = client.load('a', new Blob(), { width: 400, height: 300 })
  client.look(sceneOf('a'))
  const mask: Bitmask = { size: { width: 400, height: 300 }, box: [0, 0, 2, 2], bits: new Uint8Array(4).fill(1) }
  const serial = client.show([{ id: '1', mask, style: STYLE }])
  let drawn = 0
  client.onDrawn = seen => (drawn = seen)
  const thumbnail = client.thumbnail('a', '1', 32, STYLE.colour)
  expect(FakeWorker.last.heard.map(({ kind }) => kind)).toContain('shape')
  FakeWorker.last.onerror?.()
  expect(FakeWorker.last.isEnded).toBe(true)
  expect(await thumbnail).toBeNull()
  expect(await loading).toBe(bitmap)
  await settled()
  expect(drawn).toBe(serial)
})

test('of a photo whose smaller pictures cannot be made, none is kept', async () => {
  const closed: number[] = []
  let made = 0
  vi.stubGlobal('createImageBitmap', async () => {
    if (++made === 3) throw new Error('out of memory')
    const own = made
    return { width: 4096 / own, height: 3000 / own, close: () => closed.push(own) }
  })
  await expect(Pyramid.of(new Blob())).rejects.toThrow('out of memory')
  expect(closed).toEqual([1, 2])
})
