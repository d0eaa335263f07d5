// `npm run coverage`: which branches of the protocol code and of the codecs the tests of all packages take.
// A branch is what Istanbul counts: each side of `if` (also the `else` that is not written), of `?:`, `&&`,
// `||` and `??`, each case of a switch and each default value. (V8's own counts know nothing of an `else`
// that is not written.) What one package's tests do inside another package counts. Files that hold only
// types have no branches and are left out. Prints a row per file, the most missed first, with the lines of
// the branches that no test takes; status 1 when one of the two sums is under the minimum.
// Arguments go to jest: `npm run coverage -- packages/chord` shows what the tests of one package reach.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const minimumPercent = 95
const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const say = (text) => process.stdout.write(`${text}\n`)

/** Sums of their own: what decides, and what reads and writes bytes. */
const parts = [
  { name: 'protocol', folders: ['packages/*/src/protocol'] },
  { name: 'codecs', folders: ['packages/serializer/src', 'packages/p2py-compat/src/pickle'] },
]

/** Istanbul's report of all tests in one run of jest: path → branches. */
function measure(folder) {
  const require = createRequire(join(root, 'tooling', 'jest-config', 'package.json'))
  const jest = join(dirname(require.resolve('jest/package.json')), 'bin', 'jest.js')
  const config = join(folder, 'jest.config.mjs')
  const shared = join(root, 'tooling', 'jest-config', 'index.js')
  const sources = parts.flatMap((part) => part.folders.map((path) => `${path}/**/*.ts`))
  writeFileSync(
    config,
    `import shared from ${JSON.stringify(shared)}
     export default { ...shared, rootDir: ${JSON.stringify(root)},
       roots: ['<rootDir>/packages', '<rootDir>/tooling/conformance', '<rootDir>/tooling/simulate'],
       modulePathIgnorePatterns: ['/dist/'], maxWorkers: '100%',
       collectCoverage: true, coverageProvider: 'babel',
       collectCoverageFrom: ${JSON.stringify([...sources, '!**/index.ts'])},
       coverageReporters: ['json'], coverageDirectory: ${JSON.stringify(folder)} }`,
  )
  const own = process.argv.slice(2)
  const args = ['--experimental-vm-modules', '--no-warnings', jest, '--config', config, ...own]
  const result = spawnSync(process.execPath, [...args, '--forceExit'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (result.status !== 0) process.exitCode = 1
  return JSON.parse(readFileSync(join(folder, 'coverage-final.json'), 'utf8'))
}

/** Branches taken and all, and the lines of the others. */
function branchesOf({ b: counts, branchMap }) {
  const paths = Object.entries(counts).flatMap(([id, taken]) =>
    taken.map((count, index) => ({
      isTaken: count > 0,
      // An `else` that is not written stands nowhere: its `if` says where it would be.
      line: branchMap[id].locations[index]?.start.line ?? branchMap[id].loc.start.line,
    })),
  )
  const missed = paths.filter((one) => !one.isTaken).map((one) => one.line)
  return { total: paths.length, taken: paths.length - missed.length, missed }
}

const percent = ({ taken, total }) => (100 * taken) / total
const folder = mkdtempSync(join(tmpdir(), 'p2p-coverage-'))
try {
  const files = Object.entries(measure(folder))
    .map(([path, report]) => ({
      path: relative(root, path).replaceAll('\\', '/'),
      ...branchesOf(report),
    }))
    .filter(({ total }) => total > 0)
    .sort((a, b) => b.missed.length - a.missed.length || (a.path < b.path ? -1 : 1))
  const width = Math.max(...files.map(({ path }) => path.length))
  for (const file of files) {
    const lines = [...new Set(file.missed)].join(' ')
    say(
      `${file.path.padEnd(width)}  ${percent(file).toFixed(1).padStart(5)} %  ` +
        `${`${file.taken}/${file.total}`.padStart(7)}  ${lines && `not taken: ${lines}`}`.trimEnd(),
    )
  }
  for (const { name, folders } of parts) {
    const pattern = new RegExp(`^(${folders.map((path) => path.replace('*', '[^/]+')).join('|')})/`)
    const own = files.filter(({ path }) => pattern.test(path))
    const sum = { taken: 0, total: 0 }
    for (const file of own) {
      sum.taken += file.taken
      sum.total += file.total
    }
    say(
      `${name}: ${percent(sum).toFixed(2)} % of ${sum.total} branches in ${own.length} files, ` +
        `minimum ${minimumPercent} %`,
    )
    if (!(percent(sum) >= minimumPercent)) process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true })
}
