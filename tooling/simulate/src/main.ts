/** `npm run sim`: runs simulated networks of the shipped code; usage with `--help`. */
import { performance } from 'node:perf_hooks'
import { parseOptions, usage } from './options.ts'
import type { SimOptions } from './options.ts'
import type { RunResult } from './run-result.ts'
import { runSeed } from './run-seed.ts'
import { runSeeds } from './seed-pool.ts'
import { describe, summarise } from './summary.ts'

const transcriptLength = 60

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Runs all seeds; the first one twice unless told otherwise, because the same seed must give the same trace. */
async function runAll(options: SimOptions): Promise<boolean> {
  const startMs = performance.now()
  const wallSeconds = (): number => (performance.now() - startMs) / 1_000
  // As it was when the last seed was done: the second run of the first one is a check, and costs extra.
  let seconds = { wallSeconds: 0, cpuSeconds: 0 }
  const { results, again } = await runSeeds({
    options,
    mayStart: () => wallSeconds() <= options.maxWallSeconds,
    onResult: (result) => {
      seconds = { wallSeconds: wallSeconds(), cpuSeconds: process.cpuUsage().user / 1e6 }
      report(result, options, seconds.wallSeconds)
    },
  })
  if (results.length < options.seedCount) {
    say(`--max-seconds is over: ${results.length} of ${options.seedCount} seeds were run`)
  }
  const [first] = results
  const isStable = again === undefined || again.traceHash === first?.traceHash
  if (!isStable) say(`seed ${again.seed}: a second run gave another trace hash`)
  const summary = summarise(results, options, {
    ...seconds,
    repeatedHashes: again === undefined ? 0 : 1,
    broken: isStable ? [] : [{ seed: again.seed, invariant: 'same-seed-same-trace' }],
  })
  const speed = summary.simSeconds / summary.cpuSeconds
  const isFast = speed >= options.minSpeed
  if (!isFast) {
    say(`${speed.toFixed(2)} simulated seconds per second of processor time: too slow`)
  }
  if (!options.json) process.stdout.write(describe(summary))
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  return summary.broken.length === 0 && isFast
}

function report(result: RunResult, options: SimOptions, wallSeconds: number): void {
  const { seed, nodes, broken, simMs, events } = result
  if (broken === undefined) {
    const figures = `${nodes} nodes, ${(simMs / 1_000).toFixed(0)} s simulated, ${events} events`
    say(`seed ${seed}: ok, ${figures}, ${wallSeconds.toFixed(1)} s so far`)
    return
  }
  // Keeping transcripts costs time, so they are made by a second run of the seed that failed.
  const again = options.transcript ? runSeed(options, seed, transcriptLength).broken : broken
  say(`seed ${seed}: ${(again ?? broken).message}`)
  say(`  again: npm run sim -- ${repeatArguments(options, seed)}`)
}

function repeatArguments(options: SimOptions, seed: number): string {
  const { type, minNodes, maxNodes, faults, faultMinutes, messages } = options
  const { oldShare, hostileCount, broadcasts, dissemination, storm } = options
  const start = `--type ${type} --seed ${seed} --nodes ${minNodes}-${maxNodes}`
  if (type === 'chord') {
    const { keys, sessionMinutes, phases, repairSeconds, heartbeatSeconds } = options
    const course = `--keys ${keys} --session ${sessionMinutes} --minutes ${faultMinutes} --phases ${phases.join(',')}`
    return `${start} ${course} --repair ${repairSeconds} --heartbeat ${heartbeatSeconds} --transcript`
  }
  if (type === 'p2py') return `${start} --messages ${messages} --transcript`
  return [
    start,
    `--faults ${faults.length === 0 ? 'none' : faults.join(',')} --minutes ${faultMinutes}`,
    `--old ${oldShare} --hostile ${hostileCount} --broadcasts ${broadcasts} --dissemination ${dissemination}`,
    ...(storm === undefined ? [] : [`--storm ${storm.kind}:${storm.share}`]),
    '--transcript',
  ].join(' ')
}

async function main(): Promise<void> {
  let options: SimOptions | 'help'
  try {
    options = parseOptions(process.argv.slice(2))
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exitCode = 2
    return
  }
  if (options === 'help') say(usage)
  else if (!(await runAll(options))) process.exitCode = 1
}

await main()
