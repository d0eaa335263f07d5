// `npm run verify`: everything that has to hold besides behaviour towards recordings and live peers.
// Expects the packages to be built. With --every-node packages are also loaded under newer Node versions.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runStages, stageTable } from './stages.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager
const everyNode = process.argv.includes('--every-node') ? ['--every-node'] : []

const pnpm = (name, ...args) => ({ name, program: 'npx', args: ['--yes', pinned, ...args] })
const script = (name, file, ...args) => ({
  name,
  program: process.execPath,
  args: [join(scripts, file), ...args],
  show: (output) => output.trimEnd().split('\n').filter(isResultLine),
})
/** Checks print their result, or a table, on lines of their own; notes of npm are left out. */
const isResultLine = (line) => line !== '' && !/^npm |^\[p2p\]/.test(line)

const stages = [
  pnpm('test', 'exec', 'turbo', 'run', 'test', '--output-logs=errors-only', '--concurrency=100%'),
  // Installs the checkers that the others use.
  script('sizes', 'check-sizes.mjs'),
  // Each of these keeps one core busy at most; the longest first.
  [
    pnpm('lint', 'exec', 'eslint', 'packages', 'tooling', 'apps'),
    script('packages', 'check-packages.mjs', ...everyNode),
    script('examples', 'check-examples.mjs'),
    pnpm('format', 'exec', 'prettier', '--check', '.'),
    script('types', 'check-types.mjs'),
    script('API reports', 'api-report.mjs', '--check'),
    script('release', 'check-release.mjs'),
    script('layers and purity', 'check-layers.mjs'),
    script('dead code', 'check-dead-code.mjs'),
    script('documents', 'check-documents.mjs'),
    script('features', 'check-features.mjs'),
    script('picture', 'picture.mjs', '--check'),
    script('names', 'check-names.mjs'),
    script('places of the deliberate faults', 'mutation.mjs', '--places'),
  ],
  // What measures time or memory has the machine to itself.
  script('import time', '../../packages/serializer/scripts/measure-import.mjs'),
  script('hostile frames', '../../packages/serializer/scripts/measure-bombs.mjs'),
  script('hostile peers', '../../packages/base/scripts/measure-limits.mjs'),
  script('stalled reader', 'measure-stalled-reader.mjs'),
  script('budgets', 'check-budgets.mjs', ...everyNode),
]

const say = (text) => process.stdout.write(`${text}\n`)
const started = performance.now()
const results = await runStages(stages, { cwd: root, say })
say('')
for (const line of stageTable(results, (performance.now() - started) / 1_000)) say(line)
const passed = results.filter(({ ok }) => ok).length
say(`${passed} passed, ${results.length - passed} failed`)
process.exitCode = passed === results.length ? 0 : 1
