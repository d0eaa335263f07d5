// The one entry of every root script (`npm run …`): needs only Node and npm. It brings pnpm at the
// pinned version through npx, installs from the lock file when that changed, builds what the task
// needs, and says what it is doing, because the first run takes a while.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const [task = '', ...args] = process.argv.slice(2)

// Nothing is reported to anybody, and no tool asks for news of itself.
for (const name of [
  'TURBO_TELEMETRY_DISABLED',
  'DO_NOT_TRACK',
  'TURBO_NO_UPDATE_NOTIFIER',
  'NO_UPDATE_NOTIFIER',
]) {
  process.env[name] = '1'
}
process.env.npm_config_update_notifier = 'false'

/** Each task: what to build first (turbo filters), and the commands to run. */
const tasks = {
  build: { run: [turbo('build')] },
  test: { run: [turbo('test')] },
  lint: {
    build: ['./packages/*'],
    run: [pnpmExec('eslint', 'packages', 'tooling', 'apps'), pnpmExec('prettier', '--check', '.')],
  },
  format: { run: [pnpmExec('prettier', '--write', '.')] },
  typecheck: { build: ['./packages/*'], run: [node('tooling/scripts/check-types.mjs')] },
  verify: { build: ['./packages/*', './apps/*'], run: [node('tooling/scripts/verify.mjs')] },
  demo: { build: ['@p2p/demo'], run: [node('apps/demo/dist/demo.js')] },
  p2p: { build: ['@p2p/demo'], run: [node('apps/demo/dist/p2p.js')] },
  conformance: { build: ['@p2p/conformance'], run: [node('tooling/conformance/dist/main.js')] },
  interop: { build: ['@p2p/demo', '@p2p/interop'], run: [node('tooling/interop/dist/main.js')] },
  sim: { build: ['@p2p/simulate'], run: [node('tooling/simulate/dist/main.js')] },
  fuzz: { build: ['@p2p/fuzz'], run: [node('tooling/fuzz/dist/main.js')] },
  soak: { build: ['./packages/*'], run: [node('tooling/scripts/soak.mjs')] },
  coverage: { run: [node('tooling/scripts/coverage.mjs')] },
  mutation: { run: [node('tooling/scripts/mutation.mjs')] },
  proofs: {
    build: ['./packages/*', './apps/*', './tooling/*'],
    run: [node('tooling/scripts/proofs.mjs')],
  },
  bench: { build: ['@p2p/bench'], run: [node('tooling/bench/dist/main.js')] },
}

function turbo(name) {
  return {
    program: 'pnpm',
    args: [
      'exec',
      'turbo',
      'run',
      name,
      '--output-logs=new-only',
      '--log-order=grouped',
      '--concurrency=100%',
    ],
    turbo: true,
  }
}
function pnpmExec(...command) {
  return { program: 'pnpm', args: ['exec', ...command] }
}
function node(file) {
  return { program: process.execPath, args: [join(root, file)] }
}

// Progress goes to stderr: what a task prints on stdout may be read by a program.
const say = (text) => process.stderr.write(`[p2p] ${text}\n`)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  say(`Node ${process.versions.node} is too old: 20.19 or later is needed`)
  process.exit(1)
}

// npm moves to the root of the project; a path among the arguments means where the caller stands.
const callersFolder = process.env.INIT_CWD ?? process.cwd()
const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager
const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
const isShellNeeded = (program) => program.endsWith('.cmd')
/** Preparation; what it prints goes to stderr. */
const pnpm = (pnpmArgs) =>
  spawnSync(npx, ['--yes', pinned, ...pnpmArgs], {
    cwd: root,
    stdio: ['inherit', 2, 'inherit'],
    shell: isShellNeeded(npx),
  })
const stop = (result) => {
  if (result.error) {
    say(`could not start: ${result.error.message}`)
    process.exit(1)
  }
  if (result.status !== 0) process.exit(result.status ?? 1)
}

const selected = tasks[task]
if (selected === undefined) {
  say(`unknown task "${task}"; known: ${Object.keys(tasks).join(', ')}`)
  process.exit(2)
}

const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'pnpm-lock.yaml')))
  .digest('hex')
const stamp = join(root, 'node_modules', '.p2p-installed')
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash) {
  say(`installing from the lock file with ${pinned} (first run: under a minute) …`)
  stop(pnpm(['install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only']))
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, lockHash)
}
if (selected.build) {
  say('building …')
  const filters = selected.build.map((name) => `--filter=${name}`)
  stop(pnpm(['exec', 'turbo', 'run', 'build', ...filters, '--output-logs=errors-only']))
}
/** How often to look whether npm is still there. */
const lostParentMs = 500

/** What the task is about: runs until it ends by itself, and is ended together with this process. */
function runToEnd(program, programArgs, cwd) {
  const child = spawn(program, programArgs, {
    cwd,
    stdio: 'inherit',
    shell: isShellNeeded(program),
  })
  const forward = (signal) => child.kill(signal)
  // A terminal sends Ctrl-C to both by itself; once more would be a second Ctrl-C.
  const onInterrupt = process.stdin.isTTY ? () => undefined : forward
  process.on('SIGINT', onInterrupt)
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, forward)
  // npm that is told to end takes the shell between with it, and the shell tells nobody.
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM')
  }, lostParentMs)
  watch.unref()
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ error }))
    child.once('exit', (status, signal) =>
      resolve({ status: status ?? 128 + constants.signals[signal] }),
    )
  })
}

for (const command of selected.run) {
  const commandArgs =
    command.turbo && args.length > 0
      ? [...command.args, '--', ...args]
      : [...command.args, ...(command.turbo ? [] : args)]
  stop(
    command.program === 'pnpm'
      ? await runToEnd(npx, ['--yes', pinned, ...commandArgs], root)
      : await runToEnd(command.program, commandArgs, callersFolder),
  )
}
