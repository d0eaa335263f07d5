/**
 * `npm run fuzz -- [--runs N] [--seed N] [--target NAME] [--json]`: feeds every decoder and handler with
 * damaged input. `--runs` is the sum over all targets. Ends with exit code 1 when something was found; a
 * finding names the seed that repeats it (`--seed S --runs 1 --target T`).
 */
import { parseArgs } from 'node:util'
import { runTarget } from './run-target.ts'
import { targets } from './targets.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
  },
})
const runs = Number(values.runs)
const seed = Number(values.seed)
const selected = targets.filter(({ name }) => values.target?.includes(name) ?? true)
if (!Number.isSafeInteger(runs) || !Number.isSafeInteger(seed) || selected.length === 0) {
  const names = targets.map(({ name }) => name).join(', ')
  process.stderr.write(
    `usage: fuzz [--runs N] [--seed N] [--target NAME] [--json]; targets: ${names}\n`,
  )
  process.exit(2)
}

for (const target of selected) {
  process.stderr.write(`[fuzz] ${target.name}\n`)
  const report = runTarget(target, Math.ceil(runs / selected.length), seed)
  const line = {
    target: report.target,
    runs: report.runs,
    findings: report.findings.length,
    maxMs: Number(report.maxMs.toFixed(2)),
    maxMiB: Number(report.maxMiB.toFixed(2)),
  }
  process.stdout.write(
    values.json
      ? `${JSON.stringify(line)}\n`
      : `${line.target}: ${line.runs} runs, ${line.findings} findings, slowest ${line.maxMs} ms, most memory ${line.maxMiB} MiB\n`,
  )
  for (const finding of report.findings) process.stderr.write(`${JSON.stringify(finding)}\n`)
  if (report.findings.length > 0) process.exitCode = 1
}
