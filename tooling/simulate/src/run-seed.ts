import { runChord } from './chord-run.ts'
import { runMesh } from './mesh-run.ts'
import type { SimOptions } from './options.ts'
import { runP2py } from './p2py-run.ts'
import type { RunResult } from './run-result.ts'
import { runSync } from './sync-run.ts'

/** One simulated network of the wanted type, from the first node to the verdict. */
export function runSeed(options: SimOptions, seed: number, transcriptLength: number): RunResult {
  switch (options.type) {
    case 'mesh':
      return runMesh(options, seed, transcriptLength)
    case 'sync':
      return runSync(options, seed, transcriptLength)
    case 'chord':
      return runChord(options, seed, transcriptLength)
    case 'p2py':
      return runP2py(options, seed, transcriptLength)
  }
}
