/** Says on stderr how far a long run has come: a simulated day of a thousand nodes takes hours. */
import { writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { Simulator } from '@p2p/base/sim'

/** Between two looks at the clock, simulated … */
const lookEveryMs = 1_000
/** … and between two lines, real. */
const tellEveryMs = 15_000
const stderr = 2

/** From now on; what is simulated, and its trace hash, stay the same. */
export function tellProgress(sim: Simulator, seed: number): void {
  let toldMs = performance.now()
  const look = (): void => {
    sim.after(lookEveryMs, look)
    if (performance.now() - toldMs < tellEveryMs) return
    toldMs = performance.now()
    writeLine(describe(sim, seed))
  }
  sim.after(lookEveryMs, look)
}

function describe(sim: Simulator, seed: number): string {
  const up = sim.nodes.filter(({ isUp }) => isUp).length
  const { user, system } = process.cpuUsage()
  return [
    `seed ${seed}: ${(sim.nowMs / 60_000).toFixed(1)} min simulated`,
    `${up} of ${sim.nodes.length} nodes up`,
    `${sim.counters.inputs} events`,
    `${((user + system) / 1e6).toFixed(0)} s of processor time`,
    `${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
  ].join(', ')
}

/** Straight to the descriptor: what a worker hands to its stream leaves when the run is over. */
function writeLine(line: string): void {
  try {
    writeSync(stderr, `${line}\n`)
  } catch {
    // A full pipe: the next line will do.
  }
}
