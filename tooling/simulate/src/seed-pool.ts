/**
 * Runs seeds on several cores: one worker thread per core, each taking the next seed when it is done
 * with one. Results come back in the order of the seeds, so the figures do not depend on the number
 * of workers.
 */
import { Worker } from 'node:worker_threads'
import type { SimOptions } from './options.ts'
import type { RunResult } from './run-result.ts'

/** Most of what a turn makes is dead at its end: four times the usual room halves what is copied for nothing. */
const maxYoungGenerationSizeMb = 192

export interface SeedPoolOptions {
  readonly options: SimOptions
  /** False when no further seed is to be started. */
  mayStart(): boolean
  onResult(result: RunResult): void
}

export interface SeedOrder {
  readonly options: SimOptions
  readonly seed: number
}

/** Rejects when a worker fails for another reason than a broken invariant. */
export async function runSeeds(pool: SeedPoolOptions): Promise<RunResult[]> {
  const { firstSeed, seedCount, workerCount } = pool.options
  const results: RunResult[] = []
  let next = firstSeed
  const takeSeed = (): number | undefined => {
    if (next >= firstSeed + seedCount || !pool.mayStart()) return undefined
    next += 1
    return next - 1
  }
  const count = Math.min(workerCount, seedCount)
  await Promise.all(
    Array.from({ length: count }, () =>
      work(pool.options, takeSeed, (result) => {
        results.push(result)
        pool.onResult(result)
      }),
    ),
  )
  return results.sort((one, two) => one.seed - two.seed)
}

async function work(
  options: SimOptions,
  takeSeed: () => number | undefined,
  onResult: (result: RunResult) => void,
): Promise<void> {
  const worker = new Worker(new URL('./seed-worker.js', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb },
  })
  try {
    for (let seed = takeSeed(); seed !== undefined; seed = takeSeed()) {
      onResult(await order(worker, { options, seed }))
    }
  } finally {
    await worker.terminate()
  }
}

function order(worker: Worker, seedOrder: SeedOrder): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    worker.once('message', (result: RunResult) => {
      worker.off('error', reject)
      resolve(result)
    })
    worker.once('error', reject)
    worker.postMessage(seedOrder)
  })
}
