// `npm run verify`: everything that has to hold besides behaviour towards recordings and live peers.
// Expects the packages to be built. With --every-node packages are also loaded under newer Node versions.
import { existsSync, readFileSync } from 'node:fs'
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
const turbo = (task) => [
  'exec',
  'turbo',
  'run',
  task,
  '--output-logs=errors-only',
  '--concurrency=100%',
]

const stages = [
  pnpm('lint', ...turbo('lint')),
  pnpm('format', 'exec', 'prettier', '--check', '.'),
  pnpm('types', ...turbo('typecheck')),
  pnpm('test', ...turbo('test')),
  script('layers and purity', 'check-layers.mjs'),
  ...(existsSync(join(scripts, 'api-report.mjs'))
    ? [script('API reports', 'api-report.mjs', '--check')]
    : []),
  script('packages', 'check-packages.mjs', ...everyNode),
  script('release', 'check-release.mjs'),
  script('examples', 'check-examples.mjs'),
  script('sizes', 'check-sizes.mjs'),
  script('import time', '../../packages/serializer/scripts/measure-import.mjs'),
  script('hostile frames', '../../packages/serializer/scripts/measure-bombs.mjs'),
  script('hostile peers', '../../packages/base/scripts/measure-limits.mjs'),
  script('stalled reader', 'measure-stalled-reader.mjs'),
  script('budgets', 'check-budgets.mjs', ...everyNode),
  script('dead code', 'check-dead-code.mjs'),
  script('documents', 'check-documents.mjs'),
  script('features', 'check-features.mjs'),
  script('picture', 'picture.mjs', '--check'),
  script('names', 'check-names.mjs'),
]

const say = (text) => process.stdout.write(`${text}\n`)
const results = await runStages(stages, { cwd: root, say })
say('')
for (const line of stageTable(results)) say(line)
const passed = results.filter(({ ok }) => ok).length
say(`${passed} passed, ${results.length - passed} failed`)
process.exitCode = passed === results.length ? 0 : 1
