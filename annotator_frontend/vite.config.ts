import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// The same headers as the server's: without them WebAssembly has no threads.
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2022', chunkSizeWarningLimit: 900 },
  worker: { format: 'es' },
  server: { headers: isolation, proxy: { '/api': 'http://127.0.0.1:8000' } },
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  // A busy machine is no failure.
  test: { include: ['../tests/annotator_frontend/**/*.test.ts'], testTimeout: 30_000 },
})
