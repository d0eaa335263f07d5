/** Builds the page into page/dist, where the demo's server finds it. Dev server: `npx vite page`. */
import { fileURLToPath } from 'node:url'
import { minify } from 'terser'
import type { Plugin, UserConfig } from 'vite'

/** Vite's own minifier shortens private names and terser folds more: one after the other is 2 % less than either. */
const minifyAgain: Plugin = {
  name: 'minify-again',
  async generateBundle(_options, bundle) {
    for (const part of Object.values(bundle)) {
      if (part.type !== 'chunk') continue
      const { code } = await minify(part.code, { module: true, compress: { passes: 3 } })
      if (code !== undefined) part.code = code
    }
  },
}

const config: UserConfig = {
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  plugins: [minifyAgain],
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
