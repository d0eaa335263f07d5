/** A worker thread of seed-pool.ts: runs the seeds it is sent, one at a time. */
import { parentPort } from 'node:worker_threads'
import { runMesh } from './mesh-run.ts'
import type { SeedOrder } from './seed-pool.ts'

parentPort?.on('message', ({ options, seed }: SeedOrder) => {
  parentPort?.postMessage(runMesh(options, seed, 0))
})
