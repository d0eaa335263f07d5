/**
 * `node tooling/interop/dist/punch/main.js [--runs N] [--only TEXT] [--json]`: hole punching between
 * two of our nodes behind two NATs, in network namespaces of this machine. Every run has new
 * processes with new ports; it counts when a request of one node is answered by the other, over a link
 * that was made the way the case wants it. The time is the whole request: the direct dial that comes to
 * nothing, the introduction, the link, and the answer.
 *
 * From ten runs on, medians are checked as well: a run or two say little about them.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Namespaces, namespacesUnavailable, peerHosts } from './namespaces.ts'
import type { Topology } from './namespaces.ts'

interface Case extends Topology {
  readonly name: string
  readonly skewMs: number
  readonly way: 'punched' | 'relayed'
  /** Share of runs that has to succeed. */
  readonly wanted: number
}

const runsForMedian = 10
const maxMedianMs = 1_000

const plain = { delayMs: 30, jitterMs: 5, lossPercent: 0, skewMs: 0 } as const
const stable = { natA: 'keeps', natB: 'keeps', way: 'punched' } as const
const cases: readonly Case[] = [
  { name: 'both keep ports, drop', ...stable, answer: 'drop', ...plain, wanted: 0.95 },
  { name: 'both keep ports, reset', ...stable, answer: 'reset', ...plain, wanted: 0.95 },
  {
    name: 'both keep ports, reset, skew 100 ms',
    ...stable,
    answer: 'reset',
    ...plain,
    skewMs: 100,
    wanted: 0.95,
  },
  {
    name: 'both keep ports, reset, skew 300 ms',
    ...stable,
    answer: 'reset',
    ...plain,
    skewMs: 300,
    wanted: 0.95,
  },
  {
    name: 'both keep ports, drop, skew 300 ms',
    ...stable,
    answer: 'drop',
    ...plain,
    skewMs: 300,
    wanted: 0.95,
  },
  {
    name: 'both keep ports, drop, loss 5 %',
    ...stable,
    answer: 'drop',
    ...plain,
    lossPercent: 5,
    wanted: 0.95,
  },
  {
    name: 'A random, drop',
    natA: 'random',
    natB: 'keeps',
    way: 'punched',
    answer: 'drop',
    ...plain,
    wanted: 0.9,
  },
  {
    name: 'B random, drop',
    natA: 'keeps',
    natB: 'random',
    way: 'punched',
    answer: 'drop',
    ...plain,
    wanted: 0.9,
  },
  {
    name: 'both random, drop: relayed',
    natA: 'random',
    natB: 'random',
    way: 'relayed',
    answer: 'drop',
    ...plain,
    wanted: 1,
  },
]

interface Result {
  readonly ok: boolean
  readonly ms: number
  readonly code?: string
}

const place = fileURLToPath(new URL('./place.js', import.meta.url))
const serverPort = 7000
const startTimeoutMs = 20_000
const resultTimeoutMs = 30_000

/** A process in a namespace and the lines it prints. */
class Placed {
  readonly #child
  readonly #lines: Record<string, unknown>[] = []
  #wake: () => void = () => undefined

  constructor(prefix: readonly string[], args: readonly string[]) {
    const [program = '', ...rest] = [...prefix, process.execPath, place, ...args]
    this.#child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line) as Record<string, unknown>)
      this.#wake()
    })
    this.#child.on('exit', () => {
      this.#lines.push({ ev: 'result', ok: false, ms: 0, code: 'process ended' })
      this.#wake()
    })
  }

  async next(event: string, timeoutMs: number): Promise<Record<string, unknown>> {
    const endMs = performance.now() + timeoutMs
    for (;;) {
      const found = this.#lines.find(({ ev }) => ev === event)
      if (found !== undefined) return found
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) return { ev: event, ok: false, ms: timeoutMs, code: `no ${event}` }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  go(): void {
    this.#child.stdin.write('go\n')
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#child.once('close', () => resolve()))
    if (this.#child.exitCode !== null) return
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(timer)
  }
}

async function runOnce(namespaces: Namespaces, test: Case): Promise<Result> {
  const server = new Placed(namespaces.at('net'), [
    'server',
    `${serverPort}`,
    `${serverPort + 1}`,
    `${test.skewMs}`,
  ])
  const placed = [server]
  try {
    await server.next('ready', startTimeoutMs)
    const b = new Placed(namespaces.at('b'), ['peer', peerHosts.b, `${serverPort}`])
    const a = new Placed(namespaces.at('a'), ['peer', peerHosts.a, `${serverPort}`, peerHosts.b])
    placed.push(a, b)
    await Promise.all([a.next('ready', startTimeoutMs), b.next('ready', startTimeoutMs)])
    a.go()
    const result = await a.next('result', resultTimeoutMs)
    const ms = Number(result['ms'])
    if (result['ok'] !== true) return { ok: false, ms, code: String(result['code'] ?? 'no answer') }
    const { way } = result
    return way === test.way ? { ok: true, ms } : { ok: false, ms, code: String(way) }
  } finally {
    await Promise.all(placed.map((process) => process.stop()))
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '20' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
    },
  })
  const chosen = cases.filter(({ name }) => name.includes(values.only))
  const reason = namespacesUnavailable()
  if (reason !== undefined) {
    process.stderr.write(`hole punching is not tried: ${reason}\n`)
    if (values.json) process.stdout.write(`${JSON.stringify({ skipped: reason })}\n`)
    else {
      process.stdout.write(`skipped ${chosen.length} cases of hole punching: ${reason}\n`)
      process.stdout.write('0 passed, 0 failed\n')
    }
    return
  }
  let passed = 0
  for (const test of chosen) {
    const results = await runCase(test, Number(values.runs))
    const row = judge(test, results)
    if (row.good) passed += 1
    const { runs, ok, medianMs, worstMs, failures } = row
    process.stderr.write(
      `${row.good ? 'ok  ' : 'FAIL'} ${test.name}: ${ok}/${runs} ${test.way}, median ${medianMs} ms, worst ${worstMs} ms ${failures.join()}\n`,
    )
    if (values.json) process.stdout.write(`${JSON.stringify(row)}\n`)
  }
  const failed = chosen.length - passed
  if (!values.json) process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 ? 0 : 1
}

async function runCase(test: Case, runs: number): Promise<readonly Result[]> {
  const namespaces = await Namespaces.open(test)
  const results: Result[] = []
  try {
    for (let run = 0; run < runs; run += 1) results.push(await runOnce(namespaces, test))
  } finally {
    namespaces.close()
  }
  return results
}

interface Row {
  readonly case: string
  readonly good: boolean
  readonly runs: number
  readonly ok: number
  readonly medianMs: number
  readonly worstMs: number
  readonly failures: readonly string[]
}

function judge(test: Case, results: readonly Result[]): Row {
  const sorted = results
    .filter(({ ok }) => ok)
    .map(({ ms }) => ms)
    .sort((one, other) => one - other)
  const medianMs = Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)
  const isSoonEnough = results.length < runsForMedian || medianMs <= maxMedianMs
  return {
    case: test.name,
    good: sorted.length >= Math.floor(results.length * test.wanted) && isSoonEnough,
    runs: results.length,
    ok: sorted.length,
    medianMs,
    worstMs: Math.round(sorted.at(-1) ?? 0),
    failures: results.flatMap(({ code }) => (code === undefined ? [] : [code])),
  }
}

await main()
