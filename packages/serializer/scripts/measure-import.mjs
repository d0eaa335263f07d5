// What importing the built package costs: a fresh process that imports it, against one that imports an
// empty module, in turn. Prints one JSON line with the differences of processor time and of wall time,
// of the fastest runs and of the medians. Noise only ever adds time, so the fastest runs are held to the
// budget; exits 1 over 15 ms.
//
//   pnpm build && node scripts/measure-import.mjs
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const budgetMs = 15
const runs = 21
const cwd = fileURLToPath(new URL('..', import.meta.url))

/** Milliseconds from the start of a process until it has imported `specifier`. */
function measure(specifier) {
  const script = `await import(${JSON.stringify(specifier)})
    const { user, system } = process.cpuUsage()
    console.log(JSON.stringify({ cpuMs: (user + system) / 1000, wallMs: performance.now() }))`
  const args = ['--input-type=module', '--eval', script]
  return JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' }))
}

const empty = []
const ours = []
for (let run = 0; run < runs; run++) {
  empty.push(measure('data:text/javascript,'))
  ours.push(measure('@p2p/serializer'))
}

const sorted = (measured, name) => measured.map((m) => m[name]).sort((a, b) => a - b)
const difference = (name, place) =>
  Number((sorted(ours, name)[place] - sorted(empty, name)[place]).toFixed(2))
const middle = Math.floor(runs / 2)
const cpuMs = difference('cpuMs', 0)
const medians = {
  cpuMsMedian: difference('cpuMs', middle),
  wallMsMedian: difference('wallMs', middle),
}
const ok = cpuMs <= budgetMs
process.stdout.write(
  `${JSON.stringify({ measure: 'import', runs, cpuMs, wallMs: difference('wallMs', 0), ...medians, budgetMs, ok })}\n`,
)
process.exitCode = ok ? 0 : 1
