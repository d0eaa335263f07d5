/**
 * `npm run conformance -- DIR`: runs a folder of recorded cases (fixtures/README.md tells the format)
 * through the codecs and machines of these packages. Without DIR it runs the folder that comes with the
 * project. One JSON line per file goes to stdout; what failed, what was skipped and why, and where we
 * deliberately differ from the originals goes to stderr. Exits 1 when a check failed, 2 when DIR holds
 * no fixtures.
 */
import { fileURLToPath } from 'node:url'
import { deliberateDifferences } from './deliberate-differences.ts'
import type { DifferenceName } from './deliberate-differences.ts'
import { findFixtures, readFixture, relativePath } from './fixture-file.ts'
import { runFile, unreadableFile } from './runner.ts'
import type { FileRun } from './runner.ts'

const bundledFixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

async function main(directory: string): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  const totals = { passed: 0, failed: 0, skipped: 0 }
  const skipReasons = new Map<string, number>()
  const differences = new Map<DifferenceName, number>()
  const paths = findFixtures(directory)
  if (paths.length === 0) {
    say(`no .json files below ${directory}`)
    return 2
  }
  for (const path of paths) {
    const { result, notes } = await runPath(path, directory)
    process.stdout.write(`${JSON.stringify(result)}\n`)
    totals.passed += result.passed
    totals.failed += result.failed
    totals.skipped += result.skipped
    for (const failure of notes.failures) {
      say(`FAILED ${result.file}: ${failure.name}: ${failure.message}`)
    }
    addAll(skipReasons, notes.skipReasons)
    addAll(differences, notes.differences)
  }
  for (const [reason, times] of skipReasons) say(`skipped ${times}: ${reason}`)
  for (const [name, times] of differences) {
    say(
      `passed with a deliberate difference ${times}: ${name} (${deliberateDifferences[name].rule})`,
    )
  }
  say(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
  return totals.failed > 0 ? 1 : 0
}

/** A file that is not JSON is one failure, and keeps no other file from running. */
async function runPath(path: string, directory: string): Promise<FileRun> {
  try {
    return await runFile(readFixture(path, directory))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return unreadableFile(relativePath(path, directory), error)
  }
}

function addAll<Key>(sums: Map<Key, number>, counts: ReadonlyMap<Key, number>): void {
  for (const [key, times] of counts) sums.set(key, (sums.get(key) ?? 0) + times)
}

try {
  process.exitCode = await main(process.argv[2] ?? bundledFixtures)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
