// Runs commands one after the other, or two at a time, shows what a stage printed only when it failed, says now and
// then how far a long one is (the last line of its standard error), and ends with a table of times.
import { spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'

const stillRunningMs = 30_000
/** A stage inside a stage has ended: shown at once, so that a long stage shows its progress. */
const stageEnd = /^[✓✗] /

/** Stages of a group that run at a time. */
const lanes = 2

/**
 * @param stages list of { name, program, args, show?, cwd?, env?, givesWay? }; `show` picks the lines of the
 *   output that are worth showing although all went well; `env` is added to the environment; a stage that
 *   gives way takes what processor time the others leave. A list within the list is a group: its stages
 *   run two at a time, in its order, and beside them one of those that give way
 * @returns one { name, ok, seconds, output } per stage, as they ended
 */
export async function runStages(stages, { cwd, env = process.env, say }) {
  const results = []
  for (const entry of stages) {
    const group = Array.isArray(entry) ? entry : [entry]
    const lane = async (waiting) => {
      for (let stage = waiting.shift(); stage !== undefined; stage = waiting.shift()) {
        results.push(await runStage(stage, { cwd, env, say }))
      }
    }
    const background = group.filter(({ givesWay }) => givesWay === true)
    const others = group.filter((stage) => !background.includes(stage))
    await Promise.all([lane(background), ...Array.from({ length: lanes }, () => lane(others))])
  }
  return results
}

async function runStage(stage, { cwd, env, say }) {
  say(`▸ ${stage.name}`)
  const started = performance.now()
  const { ok, output } = await capture(stage, { cwd, env, say })
  const seconds = (performance.now() - started) / 1000
  if (!ok) say(output.trimEnd())
  const shown = ok && stage.show !== undefined ? stage.show(output) : []
  for (const line of shown) say(`  ${line}`)
  say(`${ok ? '✓' : '✗'} ${stage.name} (${seconds.toFixed(1)} s)`)
  return { name: stage.name, ok, seconds, output }
}

/**
 * The table of stages as lines of text.
 * @param wallSeconds from the first start to the last end; less than the sum where stages ran side by side
 */
export function stageTable(results, wallSeconds) {
  const width = Math.max(...results.map(({ name }) => name.length), 'stage'.length)
  const row = (name, state, seconds) => `${name.padEnd(width)}  ${state.padEnd(6)}  ${seconds}`
  return [
    row('stage', 'result', 'seconds'),
    ...results.map(({ name, ok, seconds }) =>
      row(name, ok ? 'passed' : 'FAILED', seconds.toFixed(1).padStart(7)),
    ),
    row(
      'all',
      results.every(({ ok }) => ok) ? 'passed' : 'FAILED',
      wallSeconds.toFixed(1).padStart(7),
    ),
  ]
}

function capture({ name, program, args, ...own }, { cwd, env, say }) {
  return new Promise((resolve) => {
    const chunks = []
    const started = performance.now()
    const child = spawn(program, args, {
      cwd: own.cwd ?? cwd,
      env: { ...env, ...own.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (own.givesWay && child.pid !== undefined) {
      setPriority(child.pid, constants.priority.PRIORITY_LOW)
    }
    let unfinished = ''
    child.stdout.on('data', (chunk) => {
      chunks.push(chunk)
      const lines = (unfinished + chunk.toString('utf8')).split('\n')
      unfinished = lines.pop() ?? ''
      for (const line of lines.filter((entry) => stageEnd.test(entry))) say(`  ${line}`)
    })
    let lastLine = ''
    child.stderr.on('data', (chunk) => {
      chunks.push(chunk)
      lastLine = chunk.toString('utf8').trimEnd().split('\n').at(-1) ?? ''
    })
    const timer = setInterval(() => {
      const seconds = Math.round((performance.now() - started) / 1000)
      say(`  … ${name} still running, ${seconds} s${lastLine === '' ? '' : `: ${lastLine}`}`)
    }, stillRunningMs)
    const finish = (ok, more = '') => {
      clearInterval(timer)
      resolve({ ok, output: Buffer.concat(chunks).toString('utf8') + more })
    }
    child.on('error', (error) => finish(false, `could not start: ${error.message}`))
    child.on('close', (code) => finish(code === 0))
  })
}
