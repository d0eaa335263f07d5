/**
 * A live network of ours and the originals in which everybody speaks: each message has to arrive at
 * each of our nodes exactly once.
 *
 *   node dist/mixed/main.js [--messages 1000] [--per-second 50]
 *
 * Eight of ours, four py2p, four js2p, each in a process of its own. Ends with one line of JSON; status
 * 1 when a message was lost, or came twice. What a py2p said and none of ours heard is listed, but not
 * counted as lost: py2p walks its set of recent ids on its own thread, and drops the link when the
 * application's thread sends meanwhile ("Set changed size during iteration"); while it has no link, what it
 * sends goes nowhere. `twins` counts the messages that an original sent under
 * two ids and that were recognised (packages/mesh/src/protocol/twin-messages.ts), at all of ours together;
 * `originals` is what the originals got, for information: they lose some by themselves.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { expectThat } from '../checks.ts'
import { Deliveries } from '../deliveries.ts'
import type { DeliveryCount } from '../deliveries.ts'
import { findPrograms } from '../find-programs.ts'
import { loopbackHosts, withLab } from '../lab.ts'
import type { Lab, ProgramName } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'
import { meshCounter, say } from '../talk.ts'

const groups: readonly (readonly [ProgramName, number])[] = [
  ['p2p', 8],
  ['py2p', 4],
  ['js2p', 4],
]
const settleWithinMs = 60_000
/** A second copy may come this much later than the first. */
const quietMs = 5_000

interface MixedResult {
  readonly messages: number
  readonly ours: DeliveryCount
  readonly originals: Pick<DeliveryCount, 'expected' | 'missing'>
  readonly twins: number
  /** Links that ended meanwhile, as our end of them saw it: program at the other end and reason → count. */
  readonly lostLinks: Readonly<Record<string, number>>
}

async function startNetwork(lab: Lab): Promise<readonly NodeProcess[]> {
  const count = groups.reduce((sum, [, size]) => sum + size, 0)
  // Where there is one host only, js2p nodes do not find each other; ours still link everybody.
  const hosts = await loopbackHosts(count)
  const nodes: NodeProcess[] = []
  for (const [name, size] of groups) {
    for (let index = 0; index < size; index += 1) {
      const node = await lab.start(name, { host: hosts?.[nodes.length] ?? '127.0.0.1' })
      // Ours dial: of two originals, or ours and an original, that dial at the same moment both lose the link.
      const dialler = nodes[name === 'p2p' ? 0 : index]
      nodes.push(node)
      await dialler?.request('connect', { address: node.address })
    }
  }
  return nodes
}

async function runMixed(lab: Lab, messages: number, perSecond: number): Promise<MixedResult> {
  const nodes = await startNetwork(lab)
  const ours = nodes.filter(({ name }) => name === 'p2p')
  const originals = nodes.filter((node) => !ours.includes(node))
  const warmUp = new Deliveries(ours)
  for (const [index, node] of nodes.entries()) await say(warmUp, node, `warm-up ${index}`)
  expectThat(await warmUp.complete(settleWithinMs), 'the network did not form')

  const deliveries = new Deliveries(nodes)
  const lostLinks = countLostLinks(ours, nodes)
  const started = performance.now()
  for (let number = 0; number < messages; number += 1) {
    const node = nodes[number % nodes.length]
    if (node !== undefined) await say(deliveries, node, `message ${number}`)
    await delay(Math.max(0, started + (1_000 * (number + 1)) / perSecond - performance.now()))
  }
  await deliveries.complete(settleWithinMs, { receivers: ours })
  await delay(quietMs)
  const { expected, missing } = deliveries.count({ receivers: originals })
  const twins = await Promise.all(ours.map((node) => meshCounter(node, 'twins')))
  return {
    messages,
    ours: deliveries.count({ receivers: ours }),
    originals: { expected, missing },
    twins: twins.reduce((sum, count) => sum + count, 0),
    lostLinks: Object.fromEntries(lostLinks),
  }
}

function countLostLinks(
  ours: readonly NodeProcess[],
  nodes: readonly NodeProcess[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  const names = new Map(nodes.map(({ id, name }) => [id, `${name} ${id.slice(0, 6)}`]))
  for (const node of ours)
    node.onEvent(({ ev, id, reason }) => {
      if (ev !== 'peer_leave') return
      const cause = `${names.get(String(id)) ?? 'unknown'}: ${String(reason)}`
      counts.set(cause, (counts.get(cause) ?? 0) + 1)
    })
  return counts
}

function lostByUs({ missing, unheardFrom }: DeliveryCount): number {
  const unsent = Object.entries(unheardFrom).filter(([name]) => name.startsWith('py2p '))
  return missing - unsent.reduce((sum, [, copies]) => sum + copies, 0)
}

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000' },
    'per-second': { type: 'string', default: '50' },
  },
})
const programs = await findPrograms((line) => void process.stderr.write(`${line}\n`))
if (!programs.has('py2p')) throw new Error('this needs Python 3')
await withLab(programs, async (lab) => {
  const result = await runMixed(lab, Number(values.messages), Number(values['per-second']))
  const ok = lostByUs(result.ours) === 0 && result.ours.repeats.length === 0
  process.stdout.write(`${JSON.stringify({ check: 'mixed', ok, ...result })}\n`)
  if (!ok) process.exitCode = 1
})
