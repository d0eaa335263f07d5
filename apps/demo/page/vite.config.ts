/** Builds the page into page/dist, where the demo's server finds it. Dev server: `npx vite page`. */
import { fileURLToPath } from 'node:url'
import type { UserConfig } from 'vite'

const config: UserConfig = {
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // Not 'warn': models of old peers, which the page leaves out, import node:zlib.
  logLevel: 'error',
}

export default config
