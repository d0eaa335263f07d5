// How much slower this machine is, at this moment, than the one the time budgets were set on. Budgets in
// milliseconds say what a user should feel on an ordinary machine; a shared CI runner at half the speed
// would fail them although nothing changed. So each check times a bare start of Node beside what it
// measures, and scales its budget by what that took here over what it took there.
//
//   node tooling/scripts/machine-speed.mjs     prints the figures of this machine
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * The environment to time a start in. A file of extra certificates is read before the first line runs, in
 * Node 20 for 60 to 160 ms; it belongs to the machine, not to what is measured.
 */
const { NODE_EXTRA_CA_CERTS: _certificates, ...environment } = process.env
export { environment as startEnvironment }

/** Milliseconds from spawning Node until it runs its first line, the least of many, by major version. */
const referenceStartMs = new Map([
  ['20', 25],
  ['22', 21],
  ['24', 19],
  ['26', 21],
])
const starts = 15
const script = 'console.log(process.version, performance.timeOrigin + performance.now())'

/** The least of several bare starts of `program`, in milliseconds, and its version. */
function bareStart(program) {
  let leastMs = Infinity
  let version = ''
  for (let run = 0; run < starts; run += 1) {
    const startedMs = performance.timeOrigin + performance.now()
    const output = execFileSync(program, ['-e', script], { encoding: 'utf8', env: environment })
    const [name, runningMs] = output.trim().split(' ')
    leastMs = Math.min(leastMs, Number(runningMs) - startedMs)
    version = name
  }
  return { leastMs, version }
}

/**
 * The factor by which time budgets stretch here: 1 on a machine as fast as the reference or faster, and
 * for a version of Node whose start nobody has timed there.
 */
export function slowdown(program = process.execPath) {
  const { leastMs, version } = bareStart(program)
  const reference = referenceStartMs.get(version.slice(1).split('.')[0])
  return reference === undefined ? 1 : Math.max(1, leastMs / reference)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const program of [process.execPath, ...process.argv.slice(2)]) {
    const { leastMs, version } = bareStart(program)
    process.stdout.write(
      `${version}: ${leastMs.toFixed(1)} ms, ${slowdown(program).toFixed(2)} of the reference\n`,
    )
  }
}
