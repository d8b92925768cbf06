import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// The same headers as the server's: without them WebAssembly has no threads.
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/**
 * The files of the previous build stay beside those of the new one: the web process serves them until it is started again, and
 * pages that are open ask for them. What is older goes. `builds.json` in the folder says what belongs to which.
 */
export function keepPreviousBuild(): Plugin {
  let folder = ''
  return {
    name: 'keep-previous-build',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir)
    },
    buildStart() {
      rmSync(join(folder, 'maskloop.stamp'), { force: true }) // the installer's: what the build was made of
    },
    writeBundle(_, bundle) {
      const list = join(folder, 'builds.json')
      const assets = readdirSync(join(folder, 'assets')).map(name => `assets/${name}`)
      const now = Object.keys(bundle).sort()
      let known: { now: string[]; before: string[] }
      try {
        known = JSON.parse(readFileSync(list, 'utf-8'))
      } catch {
        known = { now: assets, before: [] } // a build of before there was a list
      }
      // The same build once more is no new one.
      const before = now.join() === known.now.join() ? known.before : known.now
      const kept = new Set([...now, ...before])
      for (const file of assets) if (!kept.has(file)) rmSync(join(folder, file))
      writeFileSync(list, JSON.stringify({ now, before }))
    },
  }
}

export default defineConfig({
  plugins: [react(), keepPreviousBuild()],
  build: { target: 'es2022', chunkSizeWarningLimit: 900, emptyOutDir: false },
  worker: { format: 'es' },
  server: { headers: isolation, proxy: { '/api': 'http://127.0.0.1:8000' } },
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  // A busy machine is no failure.
  test: { include: ['../tests/annotator_frontend/**/*.test.ts'], testTimeout: 30_000 },
})
