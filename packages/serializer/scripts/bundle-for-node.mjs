// Joins what tsc made into one file per entry point, and one that they share, in dist/node/: Node opens,
// reads and links every module by itself, which for two dozen small ones took longer than running them.
// Bundlers of pages get the separate files, which they can leave out one by one.
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const outdir = `${dist}node`

rmSync(outdir, { recursive: true, force: true })
await build({
  entryPoints: ['index', 'archive', 'legacy'].map((name) => `${dist}${name}.js`),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  legalComments: 'none',
  sourcemap: true,
  logLevel: 'warning',
})
