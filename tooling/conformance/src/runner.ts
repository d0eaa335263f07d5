/** Runs the checks of one file and counts how they end. Never throws because of a fixture. */
import { fixtureSets } from './fixture-sets.ts'
import type { FixtureFile } from './fixture-file.ts'
import type { Check, Verdict } from './fixture-set.ts'
import type { DifferenceName } from './deliberate-differences.ts'

/** The line printed for a file: its shape is fixed, outside checks read it. */
export interface FileResult {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Names of the failed checks. */
  readonly failures: readonly string[]
}

/** What goes to stderr, so that nothing is skipped or decided otherwise in silence. */
export interface FileNotes {
  /** Name and message of each failed check. */
  readonly failures: readonly { readonly name: string; readonly message: string }[]
  readonly skipReasons: ReadonlyMap<string, number>
  /** Passed checks in which we deliberately do not do what a reference does. */
  readonly differences: ReadonlyMap<DifferenceName, number>
}

export interface FileRun {
  readonly result: FileResult
  readonly notes: FileNotes
}

export async function runFile(file: FixtureFile): Promise<FileRun> {
  let passed = 0
  let skipped = 0
  const failures: { name: string; message: string }[] = []
  const skipReasons = new Map<string, number>()
  const differences = new Map<DifferenceName, number>()
  for (const check of checksOf(file)) {
    let verdict: Verdict | undefined
    try {
      verdict = await check.run()
    } catch (error) {
      failures.push({ name: check.name, message: describe(error) })
      continue
    }
    if (verdict?.status === 'skipped') {
      skipped += 1
      count(skipReasons, verdict.reason)
    } else {
      passed += 1
      if (verdict !== undefined) count(differences, verdict.difference)
    }
  }
  const names = failures.map((failure) => failure.name)
  return {
    result: { file: file.path, passed, failed: failures.length, skipped, failures: names },
    notes: { failures, skipReasons, differences },
  }
}

/** The run of a file that cannot even be parsed: one failure, by the name of the file. */
export function unreadableFile(path: string, error: Error): FileRun {
  return {
    result: { file: path, passed: 0, failed: 1, skipped: 0, failures: [path] },
    notes: {
      failures: [{ name: path, message: describe(error) }],
      skipReasons: new Map(),
      differences: new Map(),
    },
  }
}

function checksOf(file: FixtureFile): Iterable<Check> {
  const set = fixtureSets.find((candidate) => candidate.describes(file))
  if (set !== undefined) return set.checks(file)
  const reason = 'not the name of a set this runner knows'
  return [{ name: file.path, run: () => ({ status: 'skipped', reason }) }]
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const line = text.replaceAll(/\s*\n\s*/g, ' | ')
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
