// `node tsc.mjs …`: the native TypeScript compiler, for builds and type checks; it needs a tenth of the
// processor time of the one in JavaScript. That one stays beside it for ESLint and ts-jest, which call
// its API.
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const manifest = createRequire(new URL('../tsconfig/package.json', import.meta.url)).resolve(
  'typescript/package.json',
)

export const tscProgram = join(dirname(manifest), 'bin', 'tsc')

/** Runs the compiler in the current folder; returns its exit status. */
export const runTsc = (args) =>
  spawnSync(process.execPath, [tscProgram, ...args], { stdio: 'inherit' }).status ?? 1

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = runTsc(process.argv.slice(2))
}
