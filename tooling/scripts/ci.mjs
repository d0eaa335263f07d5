// What CI runs (.ci/run): the root commands as a newcomer would call them, and what is behind them, each a
// stage. Prints a table of stages with their times, and as the very last line how many checks passed and
// failed: the tests and checks a stage counts itself, or the stage as one where it counts nothing.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runStages, stageTable } from './stages.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', CI: '1' }

/** Lines in which jest and our own commands report counts. */
const jestTests = /^(?:.*?:test: )?Tests: +(.*)$/
const ownCounts = /^(?<passed>\d+) passed, (?<failed>\d+) failed/

const npm = (name, ...args) => ({
  name,
  program: process.platform === 'win32' ? 'npm.cmd' : 'npm',
  args: ['run', '--silent', ...args],
  show: (output) => output.split('\n').filter((line) => jestTests.test(line) || isSummary(line)),
})
const isSummary = (line) =>
  ownCounts.test(line) || /^(stage |skipped \d|passed with a del)/.test(line)
const summary = (output) => output.split('\n').filter(isSummary)

// 1,000 nodes of what we ship have to run faster than they would live, on one core.
const largeSimulation = '--type mesh --nodes 1000 --min-speed 1 --json'.split(' ')
// As many of 500 seeds as this time allows, on both cores, most of it beside the other stages of the group;
// `npm run proofs` runs them all.
const faultySimulation = [
  ...'--type mesh --nodes 16-64 --seeds 500 --minutes 10 --faults all'.split(' '),
  ...'--max-seconds 140 --workers 2 --json'.split(' '),
]
const mixedSimulation = [
  ...'--type mesh --nodes 10-24 --seeds 24 --minutes 2 --faults all'.split(' '),
  ...'--old 0.2 --hostile 2 --json'.split(' '),
]
const syncSimulation = '--type sync --nodes 6-12 --seeds 4 --faults all --minutes 2 --json'.split(
  ' ',
)
// Half of the nodes killed, a minute of churn, a partition; 500 seeds of the same take four minutes of processor time.
const chordSimulation = [
  ...'--type chord --nodes 8-12 --keys 10 --minutes 1 --session 1'.split(' '),
  ...'--seeds 30 --json'.split(' '),
]
// All come at once and move until the load is even; then sessions of 84 seconds, which only repair every ten survives.
const churnSimulation = [
  ...'--type chord --nodes 30 --keys 20 --minutes 2 --session 1.4 --repair 10'.split(' '),
  ...'--phases balance,churn --spacing 0 --once --json'.split(' '),
]
const p2pySimulation = '--type p2py --nodes 60-120 --seeds 3 --json'.split(' ')

/** What `npm run NAME` runs once everything is built; each of these keeps one core busy. */
const built = (name, folder, args) => ({
  name,
  program: process.execPath,
  args: [join(root, 'tooling', folder, 'dist', 'main.js'), ...args],
})
const simulation = (name, args) => built(name, 'simulate', args)

const seedsRun = (output) => output.split('\n').filter((line) => / seeds were run$/.test(line))

/** Each pair of NATs twice. Skips itself, and says so, without root. */
const holePunching = {
  name: 'hole punching',
  program: process.execPath,
  args: [join(root, 'tooling', 'interop', 'dist', 'punch', 'main.js'), '--runs', '2'],
  show: summary,
}

/** Fails for certain only in many rounds: those are in `npm run proofs`. */
const burst = {
  name: 'hash table killed in a burst',
  program: process.execPath,
  args: [join(root, 'tooling', 'interop', 'dist', 'kill', 'burst.js'), '--rounds', '4'],
}

/** The page skips itself, and says so, without a Chromium. */
const demoScript = (name, file) => ({
  name,
  program: process.execPath,
  args: [join(root, 'apps', 'demo', 'scripts', file)],
  show: (output) => output.split('\n').filter((line) => isSummary(line) || /^FAILED/.test(line)),
})

const stages = [
  npm('test', 'test'),
  npm('build', 'build'),
  npm('verify', 'verify', '--', '--every-node'),
  // Alone: js2p answers late when it has to share a core.
  npm('interop', 'interop'),
  // Alone as well: under load an acknowledgement comes so late that all that was to follow it is done by then.
  burst,
  [
    { ...simulation('simulation with faults', faultySimulation), givesWay: true, show: seedsRun },
    simulation('simulation of 1,000 nodes', largeSimulation),
    { ...built('conformance', 'conformance', []), show: summary },
    holePunching,
    demoScript('commands', 'check-commands.mjs'),
    simulation('simulation with old and hostile peers', mixedSimulation),
    simulation('simulation of hash tables', chordSimulation),
    simulation('simulation of hash tables in churn', churnSimulation),
    simulation('simulation of dictionaries', syncSimulation),
    simulation('simulation of p2py', p2pySimulation),
    built('fuzz', 'fuzz', ['--runs', '2000', '--json']),
  ],
  demoScript('page of the demo', 'check-page.mjs'),
  npm('soak', 'soak', '--', '--minutes', '0.2'),
]

/** Tests and checks that a stage reports; a stage that reports none counts as one. */
function countsOf({ ok, output }) {
  let passed = 0
  let failed = 0
  let isCounted = false
  for (const line of output.split('\n')) {
    const jest = jestTests.exec(line)
    if (jest !== null) {
      passed += Number(/(\d+) passed/.exec(jest[1])?.[1] ?? 0)
      failed += Number(/(\d+) failed/.exec(jest[1])?.[1] ?? 0)
      continue
    }
    const own = ownCounts.exec(line)
    if (own === null) continue
    isCounted = true
    passed += Number(own.groups.passed)
    failed += Number(own.groups.failed)
  }
  if (!ok && failed === 0) failed = 1
  return passed + failed === 0 && !isCounted ? { passed: 1, failed: 0 } : { passed, failed }
}

const say = (text) => process.stdout.write(`${text}\n`)
const started = performance.now()
const results = await runStages(stages, { cwd: root, env, say })
say('')
for (const line of stageTable(results, (performance.now() - started) / 1_000)) say(line)
const counts = results.map(countsOf)
const sum = (key) => counts.reduce((total, entry) => total + entry[key], 0)
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
say(`${sum('passed')} passed, ${sum('failed')} failed`)
