/**
 * Half of a live network dies at once: the rest has to keep hearing everything exactly once, and to heal.
 *
 *   node dist/crash/main.js [--nodes 32] [--messages 640] [--per-second 40]
 *
 * All nodes are ours, each in a process of its own. In the middle of the talk every second one is ended
 * by SIGKILL, the first among them, which all others had joined through. Ends with one line of JSON;
 * status 1 when a survivor missed a survivor's message, got any message twice, or has fewer than two links
 * in the end. `ofTheKilled` counts the messages of the killed: some may be missing at survivors, because
 * whoever had them died too; none may come twice.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { expectThat } from '../checks.ts'
import { Deliveries } from '../deliveries.ts'
import type { DeliveryCount } from '../deliveries.ts'
import { withLab } from '../lab.ts'
import type { Lab } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'
import { p2pProgram } from '../programs.ts'
import { linkCount, say } from '../talk.ts'

const settleWithinMs = 60_000
const quietMs = 3_000

interface CrashResult {
  readonly killed: number
  readonly survivors: DeliveryCount
  readonly ofTheKilled: DeliveryCount
  /** From the kill until every survivor had what each survivor said right after it, and all before. */
  readonly healedMs: number
  readonly fewestLinks: number
}

interface CrashOptions {
  readonly nodes: number
  readonly messages: number
  readonly perSecond: number
}

async function startNetwork(lab: Lab, count: number): Promise<readonly NodeProcess[]> {
  const nodes: NodeProcess[] = []
  for (let index = 0; index < count; index += 1) {
    const node = await lab.start('p2p')
    const [first] = nodes
    if (first !== undefined) await node.request('connect', { address: first.address })
    nodes.push(node)
  }
  return nodes
}

async function runCrash(lab: Lab, options: CrashOptions): Promise<CrashResult> {
  const nodes = await startNetwork(lab, options.nodes)
  const killed = nodes.filter((_, index) => index % 2 === 0)
  const survivors = nodes.filter((node) => !killed.includes(node))
  const warmUp = new Deliveries(nodes)
  for (const [index, node] of nodes.entries()) await say(warmUp, node, `warm-up ${index}`)
  expectThat(await warmUp.complete(settleWithinMs), 'the network did not form')

  const deliveries = new Deliveries(survivors)
  await talk(deliveries, nodes, 'before', options)
  const killedMs = performance.now()
  await Promise.all(killed.map((node) => lab.crash(node)))
  for (const [index, node] of survivors.entries()) await say(deliveries, node, `alive ${index}`)
  const healing = deliveries
    .complete(settleWithinMs, { senders: survivors })
    .then(() => Math.round(performance.now() - killedMs))
  await talk(deliveries, survivors, 'after', options)
  const healedMs = await healing
  await deliveries.complete(settleWithinMs, { senders: survivors })
  await delay(quietMs)
  const links = await Promise.all(survivors.map((node) => linkCount(node)))
  return {
    killed: killed.length,
    survivors: deliveries.count({ senders: survivors }),
    ofTheKilled: deliveries.count({ senders: killed }),
    healedMs,
    fewestLinks: Math.min(...links),
  }
}

/** Half of the messages, from these nodes in turn. */
async function talk(
  deliveries: Deliveries,
  nodes: readonly NodeProcess[],
  when: string,
  { messages, perSecond }: CrashOptions,
): Promise<void> {
  const started = performance.now()
  for (let number = 0; number < messages / 2; number += 1) {
    const node = nodes[number % nodes.length]
    if (node !== undefined) await say(deliveries, node, `${when} ${number}`)
    await delay(Math.max(0, started + (1_000 * (number + 1)) / perSecond - performance.now()))
  }
}

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '32' },
    messages: { type: 'string', default: '640' },
    'per-second': { type: 'string', default: '40' },
  },
})
const options: CrashOptions = {
  nodes: Number(values.nodes),
  messages: Number(values.messages),
  perSecond: Number(values['per-second']),
}
await withLab(new Map([['p2p', p2pProgram()]]), async (lab) => {
  const result = await runCrash(lab, options)
  const repeats = result.survivors.repeats.length + result.ofTheKilled.repeats.length
  const ok = result.survivors.missing === 0 && repeats === 0 && result.fewestLinks >= 2
  process.stdout.write(`${JSON.stringify({ check: 'crash', ok, ...options, ...result })}\n`)
  if (!ok) process.exitCode = 1
})
