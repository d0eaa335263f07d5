// What importing the built package costs: processor time and wall time of a process that does, less those
// of one that does not, medians of 21 in turn. Prints one JSON line; exits 1 over the budget of 15 ms
// processor time.
//
//   pnpm build && node scripts/measure-import.mjs
import { execFileSync } from 'node:child_process'

const budgetMs = 15
const runs = 21
const index = new URL('../dist/index.js', import.meta.url).href

/** Milliseconds from the start of a process to the end of `statement`. */
function measure(statement) {
  const print = `const { user, system } = process.cpuUsage()
    console.log(JSON.stringify({ cpuMs: (user + system) / 1000, wallMs: performance.now() }))`
  const script = `${statement}\n${print}`
  const args = ['--input-type=module', '--eval', script]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
const bare = []
const importing = []
for (let run = 0; run < runs; run++) {
  bare.push(measure(''))
  importing.push(measure(`await import(${JSON.stringify(index)})`))
}
const difference = (name) =>
  Number((median(importing.map((m) => m[name])) - median(bare.map((m) => m[name]))).toFixed(2))
const cpuMs = difference('cpuMs')
process.stdout.write(
  `${JSON.stringify({ measure: 'import', runs, cpuMs, wallMs: difference('wallMs'), budgetMs })}\n`,
)
process.exitCode = cpuMs <= budgetMs ? 0 : 1
