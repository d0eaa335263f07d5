// Bundles the packages for browsers, minified, and holds their gzip size to the budgets.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { installLocked } from './install-locked.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const kib = 1024

/** Packages that a page imports together, and the most they may weigh. */
const bundles = [
  { packages: ['mesh'], budgetKib: 25 },
  { packages: ['mesh', 'sync', 'chord'], budgetKib: 40 },
]

const { build } = installLocked(join(scripts, 'checkers'), 'the checkers of verify')('esbuild')

const exportsAnything = (name) =>
  /^export (?!\{\s*\}|type )/m.test(
    readFileSync(join(root, 'packages', name, 'dist', 'index.js'), 'utf8'),
  )

async function gzipBytes(packages) {
  const result = await build({
    stdin: {
      contents: packages.map((name) => `export * as ${name} from '@p2p/${name}'`).join('\n'),
      resolveDir: join(root, 'tooling', 'conformance'),
    },
    alias: Object.fromEntries(
      packages.map((name) => [`@p2p/${name}`, join(root, 'packages', name, 'dist', 'index.js')]),
    ),
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  })
  return gzipSync(result.outputFiles[0].contents, { level: 9 }).length
}

const rows = []
let over = 0
for (const { packages, budgetKib } of bundles) {
  const built = packages.filter(
    (name) => existsSync(join(root, 'packages', name, 'dist', 'index.js')) && exportsAnything(name),
  )
  const name = packages.join(' + ')
  if (built.length === 0) {
    rows.push([name, 'nothing exported yet', `${budgetKib} KiB`])
    continue
  }
  const size = (await gzipBytes(built)) / kib
  const missing = packages.filter((entry) => !built.includes(entry))
  const state = size > budgetKib ? 'OVER' : 'within'
  if (size > budgetKib) over += 1
  const note = missing.length > 0 ? ` (without ${missing.join(', ')})` : ''
  rows.push([name, `${size.toFixed(1)} KiB${note}`, `${state} ${budgetKib} KiB`])
}
for (const [name, size, budget] of rows) {
  process.stdout.write(`bundle ${name.padEnd(22)} ${size.padEnd(28)} ${budget}\n`)
}
process.exitCode = over === 0 ? 0 : 1
