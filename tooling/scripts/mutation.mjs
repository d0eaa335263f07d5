// `npm run mutation`: do the tests notice when the code is wrong? Ten deliberate faults, one after the other,
// are put into a copy of the packages, and the tests named with each are run there; all of them are part of
// `npm test`. First the same tests run on the untouched copy, where they have to pass. A fault whose place is
// no longer in the code fails too. Prints a table; status 1 when a fault survived.
// `npm run mutation -- --only 1,2,3` tries the faults of these numbers alone; `--places` only looks whether the place
// of each is still in the code, which `npm run verify` does.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const say = (text) => process.stdout.write(`${text}\n`)
const testTimeoutMs = 300_000

/** What is wrong, where, and which tests have to notice. */
const faults = [
  {
    what: 'a frame of one byte more than the limit is taken',
    file: 'packages/serializer/src/frame-splitter.ts',
    from: 'if (length > this.#maxFrameBytes)',
    to: 'if (length > this.#maxFrameBytes + 1)',
    tests: ['frame-splitter'],
  },
  {
    what: 'the checksum of a frame is not compared',
    file: 'packages/serializer/src/frame.ts',
    from: 'if (body.length > 0 && matchesSha256(body, reading, 0))',
    to: 'if (body.length > 0)',
    tests: ['test/frame.test'],
  },
  {
    what: 'a later handshake may name another id',
    file: 'packages/base/src/protocol/connection.ts',
    from: 'if (previous !== undefined && previous.id !== parsed.id)',
    to: 'if (previous === undefined && parsed.id === "")',
    tests: ['protocol/peers.test', 'hostile-peers'],
  },
  {
    what: 'half a frame may come as slowly as it likes',
    file: 'packages/base/src/protocol/frame-watch.ts',
    from: 'if (!this.#deadlines.has(name)) this',
    to: 'if (this.#deadlines.has(name)) this',
    tests: ['protocol/peers.test', 'hostile-peers'],
  },
  {
    what: 'a message of exactly 60 s is taken, as the originals do',
    file: 'packages/mesh/src/protocol/seen-cache.ts',
    from: 'if (timeSeconds <= now.utcSeconds - maxAgeSeconds) return',
    to: 'if (timeSeconds < now.utcSeconds - maxAgeSeconds) return',
    tests: ['seen-cache'],
  },
  {
    what: 'a second copy does not prune its link',
    file: 'packages/mesh/src/protocol/sender-trees.ts',
    from: '  tree.lazy.set(from, monoMs)\n  return true',
    to: '  return false',
    tests: ['sender-trees', 'eager-and-lazy-links'],
  },
  {
    what: 'a lease ends a second early',
    file: 'packages/sync/src/protocol/replay.ts',
    from: 'write.time - holder.time > rule.leaseSeconds',
    to: 'write.time - holder.time >= rule.leaseSeconds',
    tests: ['protocol/replay', 'lease'],
  },
  {
    what: 'two of five equal answers are a majority',
    file: 'packages/chord/src/protocol/vote.ts',
    from: 'export const majority = 3',
    to: 'export const majority = 2',
    tests: ['vote', 'read'],
  },
  {
    what: 'replicas go to the nodes ahead of the owner, not behind',
    file: 'packages/chord/src/protocol/storing-nodes.ts',
    from: 'const keepers = this.#walk(index, -1, count)',
    to: 'const keepers = this.#walk(index, 1, count)',
    tests: ['storing-nodes'],
  },
  {
    what: 'a neighbour with a living link is believed gone',
    file: 'packages/p2py-compat/src/protocol/gossip.ts',
    from: 'this.#vouchLater(uuid)\n',
    to: 'this.#depart(uuid, { isSure: false, heardFrom: peer.uuid })\n',
    tests: ['protocol/gossip'],
  },
]

/** The packages and what their tests need, without what is built; the dependencies stay where they are. */
function copyWorkspace(folder) {
  for (const part of [
    'packages',
    'tooling/jest-config',
    'tooling/tsconfig',
    'tooling/scripts',
    'package.json',
  ]) {
    cpSync(join(root, part), join(folder, part), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !/^(dist|\.turbo|node-versions|checkers)$/.test(basename(source)),
    })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
}

/** Runs tests of one package; true when they pass. */
function passes(folder, packageName, tests) {
  const script = join(folder, 'tooling', 'scripts', 'jest.mjs')
  const result = spawnSync(process.execPath, [script, '--silent', '--forceExit', ...tests], {
    cwd: join(folder, 'packages', packageName),
    encoding: 'utf8',
    timeout: testTimeoutMs,
  })
  if (result.signal !== null) return { isPassed: false, counts: 'the tests did not end' }
  const counts = /^Tests: .*$/m.exec(result.stderr)?.[0] ?? 'no test ran'
  if (!/\d+ (passed|failed)/.test(counts)) {
    throw new Error(`${packageName}: ${counts}\n${result.stdout}${result.stderr}`)
  }
  return { isPassed: result.status === 0, counts: counts.replace(/^Tests: +/, '') }
}

const packageOf = (file) => file.split('/')[1]
const { values: options } = parseArgs({
  options: { only: { type: 'string' }, places: { type: 'boolean', default: false } },
})
const numbers = options.only?.split(',').map(Number) ?? faults.map((_fault, index) => index + 1)
const chosen = numbers.map((number) => faults[number - 1])
if (chosen.includes(undefined))
  throw new RangeError(`faults have numbers from 1 to ${faults.length}`)
/** Once: what stands in two places might be put right in one and wrong in the other. */
const isPlaced = (code, { from }) => code.split(from).length === 2
if (options.places) {
  const lost = chosen.filter(
    (fault) => !isPlaced(readFileSync(join(root, fault.file), 'utf8'), fault),
  )
  for (const { file, what } of lost) say(`${file}: no place for the fault "${what}"`)
  say(`mutation: ${chosen.length - lost.length} of ${chosen.length} faults have their place`)
  process.exit(lost.length === 0 ? 0 : 1)
}
const folder = mkdtempSync(join(tmpdir(), 'p2p-mutation-'))
const rows = []
let problems = 0
try {
  say('copying the packages …')
  copyWorkspace(folder)
  for (const name of new Set(chosen.map(({ file }) => packageOf(file)))) {
    const own = chosen.filter(({ file }) => packageOf(file) === name)
    const { isPassed, counts } = passes(folder, name, [...new Set(own.flatMap((f) => f.tests))])
    say(`${isPassed ? '✓' : '✗'} ${name} as it is: ${counts}`)
    if (!isPassed) problems += 1
  }
  for (const [number, fault] of chosen.entries()) {
    const { what, file, from, to, tests } = fault
    const path = join(folder, file)
    const original = readFileSync(path, 'utf8')
    let counts = 'the place of the fault is gone'
    let isCaught = false
    if (isPlaced(original, fault)) {
      writeFileSync(
        path,
        original.replace(from, () => to),
      )
      const result = passes(folder, packageOf(file), tests)
      writeFileSync(path, original)
      isCaught = !result.isPassed
      counts = result.counts
    }
    if (!isCaught) problems += 1
    rows.push(`${isCaught ? 'caught  ' : 'SURVIVED'}  ${file}: ${what} (${counts})`)
    say(`${isCaught ? '✓' : '✗'} ${number + 1} of ${chosen.length}: ${what}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
say('')
for (const row of rows) say(row)
const caught = rows.filter((row) => row.startsWith('caught')).length
say(`mutation: ${caught} of ${chosen.length} faults caught`)
process.exitCode = problems === 0 ? 0 : 1
