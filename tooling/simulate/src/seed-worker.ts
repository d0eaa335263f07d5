/** A worker thread of seed-pool.ts: runs the seeds it is sent, one at a time. */
import { parentPort } from 'node:worker_threads'
import { runSeed } from './run-seed.ts'
import type { SeedOrder } from './seed-pool.ts'

parentPort?.on('message', ({ options, seed }: SeedOrder) => {
  parentPort?.postMessage(runSeed(options, seed, 0))
})
