/**
 * Runs seeds on several cores: one worker thread per core, each taking the next seed when it is done
 * with one. Results come back in the order of the seeds, so the figures do not depend on the number
 * of workers.
 *
 * The first seed may be run once more at the end, to see whether it takes the same course: by a worker that has
 * run others meanwhile, so what one seed leaves behind for the next would show, and so that it is quick.
 */
import { Worker } from 'node:worker_threads'
import type { SimOptions } from './options.ts'
import type { RunResult } from './run-result.ts'

/**
 * Most of what a turn of all nodes makes is dead at its end. With less room than that takes, the garbage collector
 * copies it for nothing: at 10,000 nodes it was at work for three quarters of the time.
 */
const youngGeneration = { leastMb: 192, mbPerNode: 1.5, mostMb: 2_560 }
/** The collector looks through everything each time the heap has grown by a share, which is larger in a larger one. */
const maxOldGenerationSizeMb = 12_288

export interface SeedPoolOptions {
  /** Unless `isOnce`, the first seed is run a second time. */
  readonly options: SimOptions
  /** False when no further seed is to be started. */
  mayStart(): boolean
  onResult(result: RunResult): void
}

export interface SeedResults {
  readonly results: readonly RunResult[]
  /** What the first seed came to when it was run again. */
  readonly again: RunResult | undefined
}

export interface SeedOrder {
  readonly options: SimOptions
  readonly seed: number
}

/** Rejects when a worker fails for another reason than a broken invariant. */
export async function runSeeds(pool: SeedPoolOptions): Promise<SeedResults> {
  const { firstSeed, seedCount, workerCount, isOnce } = pool.options
  const results: RunResult[] = []
  let again: RunResult | undefined
  let next = firstSeed
  let repeats = isOnce ? 0 : 1
  const takeRun = (): Run | undefined => {
    if (next < firstSeed + seedCount && pool.mayStart()) {
      next += 1
      return { seed: next - 1, isRepeat: false }
    }
    if (repeats === 0 || next === firstSeed) return undefined
    repeats -= 1
    return { seed: firstSeed, isRepeat: true }
  }
  const count = Math.min(workerCount, seedCount)
  await Promise.all(
    Array.from({ length: count }, () =>
      work(pool.options, takeRun, (result, { isRepeat }) => {
        if (isRepeat) {
          again = result
          return
        }
        results.push(result)
        pool.onResult(result)
      }),
    ),
  )
  return { results: results.sort((one, two) => one.seed - two.seed), again }
}

interface Run {
  readonly seed: number
  readonly isRepeat: boolean
}

function youngMb({ maxNodes }: SimOptions): number {
  const { leastMb, mbPerNode, mostMb } = youngGeneration
  return Math.min(Math.max(leastMb, mbPerNode * maxNodes), mostMb)
}

async function work(
  options: SimOptions,
  takeRun: () => Run | undefined,
  onResult: (result: RunResult, run: Run) => void,
): Promise<void> {
  const worker = new Worker(new URL('./seed-worker.js', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: youngMb(options), maxOldGenerationSizeMb },
  })
  try {
    for (let run = takeRun(); run !== undefined; run = takeRun()) {
      onResult(await order(worker, { options, seed: run.seed }), run)
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
