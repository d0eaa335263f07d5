/** Runs one target many times; watches what it throws, how long a case takes, and how much memory. */
import { Random } from './random.ts'
import type { Target } from './target.ts'

/**
 * A case that takes longer, every time it is tried, is a finding. Processor time counts when it is less than
 * the clock's: on a busy machine the clock measures the others.
 */
const maxCaseMs = 50
/** A case that takes more memory is a finding. */
const maxCaseMiB = 64
/** Above this a case is timed again: something else may have had the processor. */
const suspiciousMs = 5
const mebibyte = 1024 * 1024

export interface Finding {
  readonly what: 'threw' | 'slow' | 'memory'
  readonly detail: string
  /** Seed of the run that made the input: `--seed` repeats it. */
  readonly seed: number
  /** The input in hexadecimal, its first kibibyte. */
  readonly input: string
}

export interface TargetReport {
  readonly target: string
  readonly runs: number
  readonly findings: readonly Finding[]
  readonly maxMs: number
  readonly maxMiB: number
}

/** Each run has its own seed, counted from `seed`. */
export function runTarget(target: Target, runs: number, seed: number): TargetReport {
  const findings: Finding[] = []
  let maxMs = 0
  let maxMiB = 0
  for (let run = 0; run < runs; run++) {
    const input = target.input(new Random(seed + run))
    const found = (what: Finding['what'], detail: string): void => {
      const hex = Buffer.from(input.subarray(0, 1024)).toString('hex')
      if (findings.length < 20) findings.push({ what, detail, seed: seed + run, input: hex })
    }
    const rssBefore = process.memoryUsage.rss()
    const { ms, thrown } = runCase(target, input)
    const mib = (process.memoryUsage.rss() - rssBefore) / mebibyte
    if (thrown !== undefined) found('threw', thrown)
    if (ms > maxCaseMs) found('slow', `${ms.toFixed(1)} ms`)
    if (mib > maxCaseMiB) found('memory', `${mib.toFixed(1)} MiB`)
    maxMs = Math.max(maxMs, ms)
    maxMiB = Math.max(maxMiB, mib)
  }
  return { target: target.name, runs, findings, maxMs, maxMiB }
}

function runCase(target: Target, input: Uint8Array): { ms: number; thrown: string | undefined } {
  let ms = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 5; attempt++) {
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    let thrown: string | undefined
    try {
      target.run(input)
    } catch (error) {
      thrown = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
    const wallMs = performance.now() - start
    const { user, system } = process.cpuUsage(cpuBefore)
    ms = Math.min(ms, wallMs, (user + system) / 1000)
    if (thrown !== undefined) return { ms, thrown }
    if (ms < suspiciousMs) break
  }
  return { ms, thrown: undefined }
}
