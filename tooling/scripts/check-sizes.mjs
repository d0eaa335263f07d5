// Bundles the packages for browsers, minified, and compares their gzip size with two figures: the budget
// of the design, which the table names when it is missed, and a ceiling a little above what was last
// measured, over which the check fails. A ceiling goes up only with a commit that says what was bought for it.
// `--explain` shows what each feature of these bundles weighs, `--explain=modules` what each module does.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { installLocked } from './install-locked.mjs'
import { sizeTable } from './size-table.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const kib = 1024

/**
 * What a page imports together: the node of each package; of the serializer, encode, decode, SHA-256, zlib,
 * and once more with what a link needs besides.
 */
const linkNames = ['FrameSplitter', 'encodeValue', 'decodeValue']
const bundles = [
  { packages: ['serializer'], budgetKib: 14, ceilingKib: 14 },
  { packages: ['serializer'], more: linkNames, budgetKib: 14, ceilingKib: 14.6 },
  { packages: ['mesh'], budgetKib: 25, ceilingKib: 46 },
  { packages: ['mesh', 'sync', 'chord'], budgetKib: 40, ceilingKib: 93 },
]
const namesOf = {
  serializer: ['createMessage', 'encodeFrame', 'decodeFrame', 'sha256'],
  mesh: ['MeshNode'],
  sync: ['SyncNode'],
  chord: ['ChordNode'],
}

const eachModule = process.argv.includes('--explain=modules')
const explains = eachModule || process.argv.includes('--explain')

const { build } = installLocked(join(scripts, 'checkers'), 'the checkers of verify')('esbuild')

const exportsItsNames = (name) => {
  const index = join(root, 'packages', name, 'dist', 'index.js')
  if (!existsSync(index)) return false
  const text = readFileSync(index, 'utf8')
  return namesOf[name].every((exported) => text.includes(exported))
}

/** Where the bytes of a mesh node are: each holds the ones before it. */
const shells = [
  ['serializer', [...namesOf.serializer, ...linkNames]],
  ['base', ['Peers']],
  ['mesh', ['MeshMachine']],
  ['mesh', ['MeshNode']],
]

const ofPackages = (packages, more) =>
  bundled(packages.map((name) => [name, [...namesOf[name], ...more]]))

/** The bundle of these names, [package, names]: its bytes as gzip, and what esbuild says of it. */
async function bundled(imports) {
  const packages = imports.map(([name]) => name)
  const result = await build({
    stdin: {
      contents: imports
        .map(([name, names]) => `export { ${names.join(', ')} } from '@p2p/${name}'`)
        .join('\n'),
      resolveDir: join(root, 'tooling', 'conformance'),
    },
    alias: Object.fromEntries(
      packages.map((name) => [`@p2p/${name}`, join(root, 'packages', name, 'dist', 'index.js')]),
    ),
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  })
  const [output] = Object.values(result.metafile.outputs)
  return { output, gzipBytes: gzipSync(result.outputFiles[0].contents, { level: 9 }).length }
}

let over = 0
for (const { packages, more = [], budgetKib, ceilingKib } of bundles) {
  const built = packages.filter(exportsItsNames)
  const say = (size, verdict) =>
    process.stdout.write(
      `bundle ${packages.concat(more).join(' + ').padEnd(22)} ${size.padEnd(28)} ${verdict}\n`,
    )
  if (built.length === 0) {
    say('not built yet', `budget ${budgetKib} KiB`)
    continue
  }
  const { output, gzipBytes } = await ofPackages(built, more)
  const sizeKib = gzipBytes / kib
  const missing = packages.filter((name) => !built.includes(name))
  const note = missing.length > 0 ? ` (without ${missing.join(', ')})` : ''
  const verdict =
    sizeKib <= budgetKib
      ? `within the budget of ${budgetKib} KiB`
      : `over the budget of ${budgetKib} KiB; ` +
        (sizeKib <= ceilingKib
          ? `ceiling ${ceilingKib} KiB`
          : `OVER THE CEILING OF ${ceilingKib} KiB`)
  if (sizeKib > ceilingKib) over += 1
  say(`${sizeKib.toFixed(1)} KiB${note}`, verdict)
  if (explains) process.stdout.write(`${sizeTable(output, gzipBytes, eachModule).join('\n')}\n`)
}
if (exportsItsNames('mesh')) {
  const steps = []
  for (const [name, names] of shells) {
    const sizeKib = (await bundled([[name, names]])).gzipBytes / kib
    steps.push(`${name === 'serializer' ? name : names.join()} ${sizeKib.toFixed(1)}`)
  }
  process.stdout.write(`bundle of a mesh node, from the inside: ${steps.join(' < ')} KiB\n`)
}

/** All the JavaScript of the demo's page: our packages, the simulator, and what draws. */
const pageBudgetKib = 120
const pageAssets = join(root, 'apps', 'demo', 'page', 'dist', 'assets')
if (existsSync(pageAssets)) {
  const scriptsOfPage = readdirSync(pageAssets).filter((name) => name.endsWith('.js'))
  const pageKib =
    scriptsOfPage
      .map((name) => gzipSync(readFileSync(join(pageAssets, name)), { level: 9 }).length)
      .reduce((sum, bytes) => sum + bytes, 0) / kib
  if (pageKib > pageBudgetKib || scriptsOfPage.length === 0) over += 1
  process.stdout.write(
    `page of the demo: ${pageKib.toFixed(1)} KiB of JavaScript, ` +
      `${pageKib <= pageBudgetKib ? 'within' : 'OVER'} the budget of ${pageBudgetKib} KiB\n`,
  )
} else {
  over += 1
  process.stdout.write('page of the demo: NOT BUILT\n')
}
process.exitCode = over === 0 ? 0 : 1
