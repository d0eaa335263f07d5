/**
 * Broadcasts in meshes of 2, 5 and 20 nodes, of 100 bytes and 4 KiB: messages per second that reach
 * everybody, how long one message takes on an idle network, and what a delivery costs in CPU time. All
 * nodes of a contender live in this process and share its processor, so the figures compare contenders,
 * and no more. Each has run before it is measured, or its compiler would be. One that is slow gets the
 * same time as the others, and fewer messages, which is noted. A contender that loses a message or
 * delivers one twice ends the run.
 */
import { randomFillSync } from 'node:crypto'
import type { Report, Suite } from '../figure.ts'
import { turn, until } from './contender.ts'
import type { MeshContender, OpenMesh } from './contender.ts'
import { gossipsub } from './gossipsub.ts'
import { js2p } from './js2p.ts'
import { ours } from './ours.ts'
import { rawFrames } from './raw-frames.ts'
import { secretStream } from './secret-stream.ts'

const nodeCounts = [2, 5, 20]
const payloadSizes = [100, 4_096]
/** Messages under way at most: enough to batch, and less than anybody's queue holds … */
const windowSize = 256
/** … and no more than would take this long one by one: what is under way at the end has to arrive, too. */
const windowMs = 2_000
const sendMs = 1_000
const rounds = 3
const warmUpMessages = 50
const latencyMessages = 200
/** Sending one by one ends after this long, however few messages that were. */
const oneByOneMs = 2_000

/** By name, in the order of their turns. Some fetch what they need when they are made. */
const makers: ReadonlyMap<string, () => Promise<MeshContender>> = new Map([
  ['p2p', async () => ours],
  ['limit', async () => rawFrames],
  ['secret-stream flood', secretStream],
  ['gossipsub', gossipsub],
  ['js2p', js2p],
])

export const meshSuite: Suite = {
  name: 'mesh',
  async run(report, note, selection) {
    const contenders: MeshContender[] = []
    for (const [name, load] of makers)
      if (selection.wantsSubject(name)) contenders.push(await load())
    const loads = nodeCounts
      .flatMap((nodeCount) => payloadSizes.map((bytes) => ({ nodeCount, bytes })))
      .filter((load) => selection.wantsCase(caseOf(load)))
    note('mesh warm-up')
    for (const contender of contenders) {
      for (const bytes of payloadSizes) await runOnce(contender, { nodeCount: 5, bytes }, note)
    }
    for (const load of loads) {
      note(`mesh ${caseOf(load)}`)
      await compare(contenders, load, { report, note })
    }
  },
}

interface Load {
  readonly nodeCount: number
  readonly bytes: number
}

function caseOf({ nodeCount, bytes }: Load): string {
  return `${nodeCount} nodes, ${bytes} bytes`
}

interface Result {
  readonly perSecond: number
  readonly cpuUs: number
  readonly latenciesMs: readonly number[]
}

/** Contenders take turns, so that whatever else the machine does hits each alike; the best round counts. */
async function compare(
  contenders: readonly MeshContender[],
  load: Load,
  { report, note }: { readonly report: Report; readonly note: (text: string) => void },
): Promise<void> {
  const results = new Map<string, Result[]>()
  for (let round = 0; round < rounds; round += 1)
    for (const contender of contenders) {
      if (load.nodeCount > contender.maxNodes) continue
      const result = await runOnce(contender, load, note)
      results.set(contender.name, [...(results.get(contender.name) ?? []), result])
    }
  const about = { suite: 'mesh', case: caseOf(load) }
  for (const [subject, all] of results) {
    const best = (value: (result: Result) => number): number => Math.min(...all.map(value))
    const figures = [
      ['broadcasts', -best(({ perSecond }) => -perSecond), 'messages/s to all'],
      ['latency p50', best(({ latenciesMs }) => quantile(latenciesMs, 0.5)), 'ms'],
      ['latency p99', best(({ latenciesMs }) => quantile(latenciesMs, 0.99)), 'ms'],
      ['cpu', best(({ cpuUs }) => cpuUs), 'µs per delivery'],
    ] as const
    for (const [metric, value, unit] of figures)
      report({ ...about, subject, metric, value: rounded(value), unit })
  }
}

async function runOnce(
  contender: MeshContender,
  load: Load,
  note: (text: string) => void,
): Promise<Result> {
  const deliveries = new Deliveries(load.nodeCount)
  const mesh = await contender.open(load.nodeCount, (node, payload) =>
    deliveries.note(node, payload),
  )
  try {
    const sending = new Sending(mesh, deliveries, load.bytes)
    await sending.oneByOne(warmUpMessages)
    const latenciesMs = await sending.oneByOne(latencyMessages)
    const { window } = sending
    if (window < windowSize) note(`${contender.name}, ${caseOf(load)}: ${window} under way at most`)
    const { perSecond, cpuUs } = await sending.asFastAsPossible()
    return { perSecond, cpuUs, latenciesMs }
  } catch (cause) {
    throw new Error(`${contender.name}: ${String(cause)}`, { cause })
  } finally {
    await mesh.close()
  }
}

/** Counts arrivals. Each payload begins with its number. */
class Deliveries {
  readonly #nodeCount: number
  readonly #seen: Set<number>[]
  /** Messages that every node has, as long as they arrive in order of number on each. */
  #counts: number[]
  onArrival: (() => void) | undefined

  constructor(nodeCount: number) {
    this.#nodeCount = nodeCount
    this.#seen = Array.from({ length: nodeCount }, () => new Set())
    this.#counts = Array.from({ length: nodeCount }, () => 0)
  }

  note(node: number, payload: Uint8Array): void {
    const number = Number(new DataView(payload.buffer, payload.byteOffset).getBigUint64(0))
    const seen = this.#seen[node]
    if (seen === undefined || seen.has(number)) throw new Error(`message ${number} came twice`)
    seen.add(number)
    this.#counts[node] = seen.size
    this.onArrival?.()
  }

  /** How many messages the node that has the fewest got. */
  get everywhere(): number {
    return this.#counts.reduce(
      (least, count, node) => (node === 0 ? least : Math.min(least, count)),
      Infinity,
    )
  }

  get receivers(): number {
    return this.#nodeCount - 1
  }
}

class Sending {
  readonly #mesh: OpenMesh
  readonly #deliveries: Deliveries
  readonly #payload: Uint8Array
  #sent = 0
  /** How long the latest messages took to reach everybody, one by one, on average. */
  #messageMs = 0

  constructor(mesh: OpenMesh, deliveries: Deliveries, bytes: number) {
    this.#mesh = mesh
    this.#deliveries = deliveries
    // Noise: nobody is to gain by compression.
    this.#payload = randomFillSync(new Uint8Array(bytes))
  }

  get window(): number {
    return Math.max(1, Math.min(windowSize, Math.floor(windowMs / this.#messageMs)))
  }

  /** Sends each message when the last one has arrived; returns how long each took to each node. */
  async oneByOne(count: number): Promise<readonly number[]> {
    const latenciesMs: number[] = []
    const before = this.#sent
    const begun = performance.now()
    while (this.#sent - before < count && performance.now() - begun < oneByOneMs) {
      const started = performance.now()
      this.#deliveries.onArrival = () => latenciesMs.push(performance.now() - started)
      this.#send()
      await this.#allArrived()
    }
    this.#deliveries.onArrival = undefined
    this.#messageMs = (performance.now() - begun) / (this.#sent - before)
    return latenciesMs
  }

  async asFastAsPossible(): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
    const before = this.#sent
    const { window } = this
    const cpuBefore = process.cpuUsage()
    const started = performance.now()
    while (performance.now() - started < sendMs) {
      while (this.#sent - this.#deliveries.everywhere < window) this.#send()
      await turn()
    }
    await this.#allArrived()
    const seconds = (performance.now() - started) / 1_000
    const { user, system } = process.cpuUsage(cpuBefore)
    const messages = this.#sent - before
    return {
      perSecond: messages / seconds,
      cpuUs: (user + system) / (messages * this.#deliveries.receivers),
    }
  }

  #send(): void {
    new DataView(this.#payload.buffer).setBigUint64(0, BigInt(this.#sent))
    this.#sent += 1
    this.#mesh.broadcast(this.#payload)
  }

  #allArrived(): Promise<void> {
    return until('a message', () => this.#deliveries.everywhere === this.#sent)
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN
}

/** Three significant digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
