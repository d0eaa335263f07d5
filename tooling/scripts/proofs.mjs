// `npm run proofs -- [--only TEXT] [--list]`: the long forms of what CI runs briefly, one after the other:
// hundreds of seeds, thousands of nodes, hours of simulated churn. They take hours; --only picks those
// whose name contains the text. Ends with a table; status 1 when one failed.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runStages, stageTable } from './stages.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const seed = '20261122'

const node = (name, file, ...args) => ({
  name,
  program: process.execPath,
  args: [join(root, file), ...args],
  show: (output) => output.trimEnd().split('\n').slice(-1),
})
const simulation = (name, options) =>
  node(name, 'tooling/simulate/dist/main.js', ...options.split(' '), '--json')
const storm = (kind, nodes) =>
  simulation(
    `mesh storm ${kind}, ${nodes} nodes`,
    `--type mesh --nodes ${nodes} --broadcasts 8 --storm ${kind} --once`,
  )

const proofs = [
  simulation(
    'mesh under faults, 500 seeds',
    '--type mesh --nodes 16-64 --seeds 500 --minutes 10 --faults all --workers 2',
  ),
  ...['crash:0.5', 'crash:0.7', 'churn:0.1', 'liars:0.4'].map((kind) => storm(kind, 10_000)),
  simulation(
    'mesh unrest, 1,000,000 deliveries',
    '--type mesh --nodes 100 --broadcasts 10200 --storm unrest --hostile 4 --once',
  ),
  ...[
    [0.5, 1.1],
    [0.9, 1.7],
  ].flatMap(([old, copies]) =>
    [
      [100, 10],
      [1_000, 1],
    ].map(([nodes, seeds]) =>
      simulation(
        `mesh of ${nodes}, ${100 * old} % of them old`,
        `--type mesh --nodes ${nodes} --old ${old} --seeds ${seeds} --max-copies ${copies} --once`,
      ),
    ),
  ),
  {
    name: 'dictionaries, 10,000 seeds per mode',
    program: process.execPath,
    args: [join(root, 'tooling/scripts/jest.mjs'), 'convergence'],
    cwd: join(root, 'packages/sync'),
    env: { SEEDS: '10000' },
  },
  node('writers killed 200 times', 'tooling/interop/dist/kill/main.js', '--runs', '200'),
  node(
    'hash table rings killed 100 times',
    'tooling/interop/dist/kill/main.js',
    '--kind',
    'chord',
    '--runs',
    '100',
  ),
  node('three of five nodes killed in a burst of writes', 'tooling/interop/dist/kill/burst.js'),
  node('a mixed network cut and healed', 'tooling/interop/dist/heal/main.js'),
  node('16 live nodes of three languages', 'tooling/interop/dist/mixed/main.js'),
  node('16 of 32 processes killed', 'tooling/interop/dist/crash/main.js'),
  node(
    'hash tables beside py2p and js2p, 10 times',
    'tooling/interop/dist/main.js',
    '--only',
    'chord',
    '--times',
    '10',
  ),
  node('hole punching, 20 runs each', 'tooling/interop/dist/punch/main.js', '--runs', '20'),
  simulation('p2py, 1,000 nodes', '--type p2py --nodes 1000'),
  simulation(
    'hash tables, 500 seeds',
    '--type chord --nodes 8-12 --keys 10 --minutes 1 --session 1 --seeds 500 --workers 2',
  ),
  simulation(
    'hash table, 200 nodes, 2 hours of sessions of an hour',
    '--type chord --nodes 200 --keys 200 --minutes 120 --session 60 --heartbeat 60 --phases churn --once',
  ),
  // Nobody falls silent without his links ending in these two, so signs of life would be half of the cost for nothing.
  simulation(
    'hash table, 1,000 nodes, 12 hours of sessions of an hour',
    '--type chord --nodes 1000 --keys 500 --minutes 720 --session 60 --heartbeat 600 --phases churn --once',
  ),
  // 0.2 s of processor time per session of 84 s: each of 1,000 nodes hears of each that comes and goes.
  simulation(
    'hash table, 1,000 nodes, 10,000 sessions of 84 seconds, repair every 10',
    '--type chord --nodes 1000 --keys 300 --minutes 14 --session 1.4 --repair 10 --heartbeat 600 --phases churn --once',
  ),
  simulation(
    'hash table, 300 nodes that come at once share the load',
    '--type chord --nodes 300 --spacing 0 --keys 200 --phases balance --once',
  ),
  node('placement, 10,000 nodes', 'packages/chord/scripts/placement-survival.mjs'),
  node('load of 10,000 nodes', 'packages/chord/scripts/load-balance.mjs'),
  node('routes of 100,000 nodes', 'packages/chord/scripts/routing.mjs'),
  node('fuzz, 1,000,000 runs', 'tooling/fuzz/dist/main.js', '--runs', '1000000', '--seed', seed),
  node('branches of protocol code and codecs', 'tooling/scripts/coverage.mjs'),
  node('ten deliberate faults', 'tooling/scripts/mutation.mjs'),
  node('the page of a fresh clone', 'tooling/scripts/check-first-run.mjs'),
  node('soak, 10 minutes', 'tooling/scripts/soak.mjs', '--minutes', '10'),
]

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, list: { type: 'boolean', default: false } },
})
const say = (text) => process.stdout.write(`${text}\n`)
const selected = proofs.filter(({ name }) => name.includes(values.only))
if (values.list) for (const { name } of selected) say(name)
else if (selected.length === 0) {
  say(`no proof is called "${values.only}"; --list names them`)
  process.exitCode = 2
} else {
  const started = performance.now()
  const results = await runStages(selected, { cwd: root, say })
  say('')
  for (const line of stageTable(results, (performance.now() - started) / 1_000)) say(line)
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
}
