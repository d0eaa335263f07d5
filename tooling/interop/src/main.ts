/**
 * `npm run interop`: our node and the original programs, live, in every combination.
 *
 *   npm run interop -- [--json] [--baseline] [--only NAME] [--times N] [--parallel N]
 *
 * --baseline runs the foreign programs among themselves only, which checks the drivers; --only picks
 * the rows of one program or one network; --times runs each row more than once, for what fails now and
 * then only. Up to three pairs of programs run at a time, one for each core: most of a scenario is waiting,
 * but programs that share a core miss the times at which the originals give up. --parallel 1 runs one after
 * the other, which is easier to read.
 *
 * Each program runs in a process of its own and is driven by JSON lines. A table goes to stderr,
 * rows as JSON lines to stdout with --json, and everything to reports/interop.json. The status is 1
 * when a row with one of our nodes fails.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Checks } from './checks.ts'
import type { Side } from './checks.ts'
import { findPrograms } from './find-programs.ts'
import { knownFailure } from './known.ts'
import type { ProgramName, Programs } from './lab.ts'
import { formatRow, summarize } from './report.ts'
import { runBootstrap } from './scenarios/bootstrap.ts'
import { runBrowserBesidePython, runBrowserPair } from './scenarios/browser.ts'
import { runDictionary } from './scenarios/dictionary.ts'
import { runHashTable, runMixedTable } from './scenarios/hash-table.ts'
import { runP2pyReadme } from './scenarios/p2py-readme.ts'
import { runP2pyMixed, runP2pyPair } from './scenarios/p2py.ts'
import { runBursts, runMethods, runPair, runWrongSubnet } from './scenarios/pair.ts'
import { runRestart } from './scenarios/restart.ts'
import { runTransports } from './scenarios/transports.ts'
import { runCrash, runCrossDials, runRedials } from './scenarios/trouble.ts'
import { runTrio } from './scenarios/trio.ts'

const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** Pairs of programs, ours first. The foreign ones among themselves check the drivers. */
const ourPairs: readonly (readonly [ProgramName, ProgramName])[] = [
  ['p2p', 'p2p'],
  ['p2p', 'js2p'],
  ['p2p', 'py2p'],
]
/** A tab cannot be dialled, so there is one direction only. */
const browserPairs: readonly (readonly [ProgramName, ProgramName])[] = [
  ['browser', 'js2p'],
  ['browser', 'py2p'],
]
const foreignPairs: readonly (readonly [ProgramName, ProgramName])[] = [
  ['js2p', 'js2p'],
  ['py2p', 'py2p'],
  ['js2p', 'py2p'],
]

type Scenario = (programs: Programs, side: Side, checks: Checks) => Promise<void>

const networks = ['mesh', 'sync', 'chord', 'p2py'] as const
/** p2py has nothing in common with the other programs on the wire. */
function pairsOf(
  network: string,
  onlyForeign: boolean,
): readonly (readonly [ProgramName, ProgramName])[] {
  if (network === 'mesh' && !onlyForeign) return [...ourPairs, ...browserPairs, ...foreignPairs]
  if (network === 'p2py') return onlyForeign ? [['p2py', 'p2py']] : [['p2p', 'p2py']]
  return onlyForeign ? foreignPairs : [...ourPairs, ...foreignPairs]
}

function p2pyScenarios(): Map<string, Scenario> {
  return new Map<string, Scenario>([
    ['pair', runP2pyPair],
    ['three nodes', (programs, side, checks) => runP2pyMixed(programs, side, checks, 3)],
    ['six nodes', (programs, side, checks) => runP2pyMixed(programs, side, checks, 6)],
  ])
}

function scenariosOf({ network, a, b, dialler }: Side): ReadonlyMap<string, Scenario> {
  if (a === 'browser') {
    return b === 'js2p'
      ? new Map([['browser', runBrowserPair]])
      : new Map([['browser', runBrowserBesidePython]])
  }
  if (network === 'sync') return new Map([['dictionary', runDictionary]])
  if (network === 'p2py') {
    const scenarios = p2pyScenarios()
    return a === 'p2p' ? scenarios.set('examples of the README', runP2pyReadme) : scenarios
  }
  if (network === 'chord') {
    const scenarios = new Map<string, Scenario>([['hash table', runHashTable]])
    // The same whoever dials.
    if (a === 'p2p' && dialler === 'a') scenarios.set('several nodes', runMixedTable)
    // js2p keeps its list of seeds in a file of its own package.
    if (a === 'p2p' && dialler === 'a' && b !== 'js2p') scenarios.set('bootstrap', runBootstrap)
    return scenarios
  }
  const scenarios = new Map<string, Scenario>([
    ['pair', runPair],
    ['bursts', runBursts],
    ['compression methods', runMethods],
    ['wrong subnet', runWrongSubnet],
    ['redials', runRedials],
    ['crash', runCrash],
  ])
  if (a === 'p2p') scenarios.set('transports', runTransports)
  // Ours is the one that dials again, so there is one direction only.
  if (a === 'p2p' && dialler === 'a') scenarios.set('restart', runRestart)
  // These are the same whoever dials.
  if (dialler === 'a') scenarios.set('crossing dials', runCrossDials).set('three nodes', runTrio)
  return scenarios
}

async function runSide(programs: Programs, side: Side, checks: Checks): Promise<void> {
  if (!programs.has(side.a as ProgramName) || !programs.has(side.b as ProgramName)) {
    const missing = [side.a, side.b].filter((name) => !programs.has(name as ProgramName))
    checks.skip(side, 'all', `${missing.join(' and ')} is not available here`)
    return
  }
  for (const [name, scenario] of scenariosOf(side)) {
    await checks.check(side, `${name}: all processes end`, async () => {
      await scenario(programs, side, checks)
      return 'by themselves, with status 0'
    })
  }
}

/** What to run, in the order of the networks. */
function sidesOf(onlyForeign: boolean, only: string | undefined): Side[] {
  const sides: Side[] = []
  for (const network of networks)
    for (const [a, b] of pairsOf(network, onlyForeign))
      for (const dialler of ['a', 'b'] as const) {
        if ((a === b || a === 'browser') && dialler === 'b') continue
        const names: readonly string[] = [network, a, b]
        if (only !== undefined && !names.includes(only)) continue
        sides.push({ network, a, b, dialler })
      }
  return sides
}

function wholeFromOne(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`--${name} takes a whole number from 1`)
  return number
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      baseline: { type: 'boolean', default: false },
      only: { type: 'string' },
      times: { type: 'string', default: '1' },
      parallel: { type: 'string', default: String(Math.min(3, availableParallelism())) },
    },
  })
  const parallel = wholeFromOne('parallel', values.parallel)
  const times = wholeFromOne('times', values.times)
  const started = performance.now()
  const programs = await findPrograms(say)
  const checks = new Checks((row) => {
    say(formatRow(row))
    if (values.json) process.stdout.write(`${JSON.stringify(row)}\n`)
  }, knownFailure)
  const once = sidesOf(values.baseline, values.only)
  const sides = Array.from({ length: times }, () => once).flat()
  const work = async (): Promise<void> => {
    for (let side = sides.shift(); side !== undefined; side = sides.shift()) {
      await runSide(programs, side, checks)
    }
  }
  await Promise.all(Array.from({ length: parallel }, work))
  const summary = summarize(checks.rows, Math.round(performance.now() - started) / 1000)
  const report = fileURLToPath(new URL('../../../reports/interop.json', import.meta.url))
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, `${JSON.stringify({ summary, rows: checks.rows }, null, 1)}\n`)
  const { passed, failed, known, skipped, seconds } = summary
  say(
    `${passed} passed, ${failed} failed, ${known} known failures of others, ${skipped} skipped in ${seconds} s; reports/interop.json`,
  )
  if (values.json) process.stdout.write(`${JSON.stringify({ summary })}\n`)
  process.exitCode = summary.ok ? 0 : 1
}

await main()
