import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepPreviousBuild } from '../../../annotator_frontend/vite.config'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'maskloop-build-'))
  mkdirSync(join(root, 'dist', 'assets'), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true }))

/** A build that writes these assets. */
function build(...names: string[]) {
  // Vite calls them with more than they read.
  const plugin = keepPreviousBuild() as any
  plugin.configResolved({ root, build: { outDir: 'dist' } })
  plugin.buildStart()
  for (const name of names) writeFileSync(join(root, 'dist', 'assets', name), name)
  const files = ['index.html', ...names.map(name => `assets/${name}`)]
  plugin.writeBundle({}, Object.fromEntries(files.map(file => [file, {}])))
}

const assets = () => readdirSync(join(root, 'dist', 'assets')).sort()

test('a build keeps the files of the one before it, and what is older goes', () => {
  build('index-1.js', 'same.wasm')
  build('index-2.js', 'same.wasm')
  expect(assets()).toEqual(['index-1.js', 'index-2.js', 'same.wasm'])
  build('index-3.js', 'same.wasm')
  expect(assets()).toEqual(['index-2.js', 'index-3.js', 'same.wasm'])
})

test('the same build once more is not taken for the one before', () => {
  build('index-1.js')
  build('index-2.js')
  build('index-2.js')
  expect(assets()).toEqual(['index-1.js', 'index-2.js'])
})

test('files of a build that kept no list are those of the one before', () => {
  writeFileSync(join(root, 'dist', 'assets', 'index-0.js'), 'old')
  build('index-1.js')
  expect(assets()).toEqual(['index-0.js', 'index-1.js'])
  build('index-2.js')
  build('index-3.js')
  expect(assets()).toEqual(['index-2.js', 'index-3.js'])
})

test('a build that breaks off leaves no stamp that says the page is as its sources are', () => {
  writeFileSync(join(root, 'dist', 'maskloop.stamp'), 'digest')
  build('index-1.js')
  expect(existsSync(join(root, 'dist', 'maskloop.stamp'))).toBe(false)
})
