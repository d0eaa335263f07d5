// `npm run coverage`: which branches of the protocol code and of the codecs the tests of all packages take,
// measured by V8. What one package's tests do inside another package counts. Files that hold only types
// have no branches and are left out. Prints every file under the minimum, and where; status 1 when one of
// the two sums is under it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'

const minimumPercent = 95
const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const say = (text) => process.stdout.write(`${text}\n`)

/** Sums of their own: what decides, and what reads and writes bytes. */
const parts = [
  { name: 'protocol', pattern: /^packages\/[^/]+\/src\/protocol\// },
  { name: 'codecs', pattern: /^packages\/(serializer\/src|p2py-compat\/src\/pickle)\// },
]

/** A file whose types are all that it holds leaves nothing behind when they are taken out. */
const hasCode = (path) =>
  transformSync(readFileSync(join(root, path), 'utf8'), { loader: 'ts' }).code.trim() !== ''

const sources = readdirSync(join(root, 'packages'))
  .flatMap((name) =>
    readdirSync(join(root, 'packages', name, 'src'), { recursive: true }).map((file) =>
      join('packages', name, 'src', file),
    ),
  )
  .filter((path) => path.endsWith('.ts') && !path.endsWith('/index.ts'))
  .filter((path) => parts.some(({ pattern }) => pattern.test(path)) && hasCode(path))

/** The tests of one package, or of tools that run them together: what they reach in all of the sources. */
function measure(folder, roots) {
  const require = createRequire(join(root, 'tooling', 'jest-config', 'package.json'))
  const jest = join(dirname(require.resolve('jest/package.json')), 'bin', 'jest.js')
  const config = join(folder, 'jest.config.mjs')
  const shared = join(root, 'tooling', 'jest-config', 'index.js')
  writeFileSync(
    config,
    `import shared from ${JSON.stringify(shared)}
     export default { ...shared, rootDir: ${JSON.stringify(root)},
       roots: ${JSON.stringify(roots.map((path) => `<rootDir>/${path}`))},
       collectCoverage: true, collectCoverageFrom: ${JSON.stringify(sources)},
       coverageReporters: ['json'], coverageDirectory: ${JSON.stringify(folder)} }`,
  )
  const args = [
    '--experimental-vm-modules',
    '--no-warnings',
    jest,
    '--config',
    config,
    '--forceExit',
  ]
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (result.status !== 0) process.exit(result.status ?? 1)
  return JSON.parse(readFileSync(join(folder, 'coverage-final.json'), 'utf8'))
}

/** Adds one measurement to the sum: per file, a branch is named by where it stands. */
function add(files, measurement) {
  for (const [path, { b: counts, branchMap }] of Object.entries(measurement)) {
    const branches = files.get(path) ?? new Map()
    files.set(path, branches)
    for (const [id, [count]] of Object.entries(counts)) {
      const { start, end } = branchMap[id].loc
      const place = `${start.line}:${start.column}-${end.line}:${end.column}`
      branches.set(place, (branches.get(place) ?? 0) + count)
    }
  }
}

/** Branches taken and all, and the lines where the others begin. */
function branchesOf(branches) {
  const missed = [...branches].filter(([, count]) => count === 0).map(([place]) => parseInt(place))
  return { total: branches.size, taken: branches.size - missed.length, missed }
}

const percent = ({ taken, total }) => (100 * taken) / total
const runs = [
  ...readdirSync(join(root, 'packages')).map((name) => [`packages/${name}`]),
  ['tooling/conformance', 'tooling/simulate'],
]
const folder = mkdtempSync(join(tmpdir(), 'p2p-coverage-'))
try {
  const files = new Map()
  for (const roots of runs) {
    process.stderr.write(`[p2p] tests of ${roots.join(', ')} …\n`)
    add(files, measure(folder, roots))
  }
  const measured = [...files].map(([path, branches]) => ({
    path: relative(root, path),
    ...branchesOf(branches),
  }))
  const sums = parts.map(({ name, pattern }) => {
    const files = measured.filter(({ path }) => pattern.test(path))
    const sum = (key) => files.reduce((total, file) => total + file[key], 0)
    return { name, files: files.length, taken: sum('taken'), total: sum('total') }
  })
  for (const file of measured.filter((one) => percent(one) < minimumPercent)) {
    say(
      `${file.path} ${percent(file).toFixed(1)} % (${file.taken}/${file.total}), ` +
        `not taken at ${file.missed.join(' ')}`,
    )
  }
  for (const sum of sums) {
    say(
      `${sum.name}: ${percent(sum).toFixed(2)} % of ${sum.total} branches in ${sum.files} files, ` +
        `minimum ${minimumPercent} %`,
    )
  }
  if (sums.some((sum) => percent(sum) < minimumPercent)) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true })
}
