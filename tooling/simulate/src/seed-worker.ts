/** A worker thread of seed-pool.ts: runs the seeds it is sent, one at a time. */
import { parentPort } from 'node:worker_threads'
import { runSeed } from './run-seed.ts'
import type { RunResult } from './run-result.ts'
import type { SeedOrder } from './seed-pool.ts'

/** Each link that breaks makes errors, and of all that they cost, most is the stack that nobody reads. */
function runWithoutStacks({ options, seed }: SeedOrder): RunResult {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return runSeed(options, seed, 0)
  } catch {
    // Our own mistake, no broken invariant: the same once more, and this time it says where.
    Error.stackTraceLimit = stackTraceLimit
    return runSeed(options, seed, 0)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

parentPort?.on('message', (order: SeedOrder) => {
  parentPort?.postMessage(runWithoutStacks(order))
})
