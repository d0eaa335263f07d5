/** The rest of one conversation: a dictionary, a hash table and a p2py network, each on nodes of its own. */
import { setTimeout } from 'node:timers/promises'
import { ChordNode } from '@p2p/chord'
import { js2pProgram } from '@p2p/interop'
import { P2pyNode } from '@p2p/p2py-compat'
import { startForeignPeer } from '../live/foreign-node.ts'
import type { LiveNode, LiveNodeOptions } from '../live/live-node.ts'
import { startOwnNode } from '../live/own-node.ts'
import type { Language, NetworkName, WorldEvent } from '../view/world-event.ts'

/** What was to arrive, and what did. */
export interface Arrivals {
  readonly expected: number
  readonly delivered: number
}

/** A node, for the summary. */
export interface Participant {
  readonly kind: NetworkName
  readonly language: Language
  readonly id: string
}

export interface OtherNetworks {
  readonly nodes: readonly Participant[]
  readonly sync: Arrivals
  readonly chord: Arrivals
  readonly p2py: Arrivals
}

/** Far more than any of it needs. */
const timeoutMs = 30_000
const tableNodes = 5
const tableKeys = 10
const p2pyNodes = 3

/** Runs the three, one after the other; each ends before the next begins. */
export async function runOtherNetworks(foreignModules: string): Promise<OtherNetworks> {
  const nodes: Participant[] = []
  const sync = await runDictionary(nodes, foreignModules)
  const chord = await runHashTable(nodes)
  const p2py = await runP2py(nodes)
  return { nodes, sync, chord, p2py }
}

/** Every node writes a key of its own; every other node has to get it. */
async function runDictionary(nodes: Participant[], modules: string): Promise<Arrivals> {
  return withNodes(nodes, async (start, arrivals) => {
    const own = { network: 'sync', isBridge: false } as const
    const a = await start((events) => startOwnNode({ ...events, ...own, name: 'a', contacts: [] }))
    const contacts = [a.address]
    await start((events) => startOwnNode({ ...events, ...own, name: 'b', contacts }))
    await start((events) => startOwnNode({ ...events, ...own, name: 'c', contacts }))
    const js2p = { network: 'sync', language: 'JavaScript', name: 'js2p' } as const
    await start((events) =>
      startForeignPeer(js2pProgram(modules), { ...events, ...js2p, isBridge: false, contacts }),
    )
    return arrivals((event) => (event.type === 'held' ? [event.node, event.value] : undefined))
  })
}

/** Every node says something to each other one, by its UUID. */
async function runP2py(nodes: Participant[]): Promise<Arrivals> {
  const members: P2pyNode[] = []
  try {
    for (let index = 0; index < p2pyNodes; index += 1) {
      const node = await P2pyNode.open({ port: 0 })
      const [first] = members
      members.push(node)
      if (first !== undefined) await node.join([first.address], { timeoutMs })
      nodes.push({ kind: 'p2py', language: 'TypeScript', id: `p2py ${node.address.join(':')}` })
    }
    await Promise.all(members.map(knowsAll))
    const expected = p2pyNodes * (p2pyNodes - 1)
    let delivered = 0
    const allCame = new Promise<void>((resolve) => {
      for (const member of members)
        member.on('message', () => {
          delivered += 1
          if (delivered === expected) resolve()
        })
    })
    for (const from of members)
      for (const { uuid } of members)
        if (uuid !== null && uuid !== from.uuid)
          await from.sendToUuid(uuid, { type: 'TEXT', data: 'hello' }, { timeoutMs })
    const late = new AbortController()
    const over = setTimeout(timeoutMs, undefined, { signal: late.signal }).catch(() => undefined)
    await Promise.race([allCame, over])
    late.abort()
    return { expected, delivered }
  } finally {
    await Promise.all(members.map((member) => member.close()))
  }
}

/** Resolves once the node has heard of every member: that news travels after a join. */
function knowsAll(node: P2pyNode): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (node.networkSize === p2pyNodes) resolve()
    }
    node.on('peer:join', look)
    look()
  })
}

/** Keys written on one node each and read on the next one. */
async function runHashTable(nodes: Participant[]): Promise<Arrivals> {
  const members: ChordNode[] = []
  try {
    for (let index = 0; index < tableNodes; index += 1) {
      const connect = members.slice(0, 1).flatMap(({ addresses }) => addresses)
      members.push(await ChordNode.open({ listen: 'tcp://127.0.0.1:0', connect, join: true }))
    }
    for (const { id } of members) nodes.push({ kind: 'chord', language: 'TypeScript', id })
    let delivered = 0
    for (let index = 0; index < tableKeys; index += 1) {
      const writer = members[index % tableNodes]
      const reader = members[(index + 1) % tableNodes]
      await writer?.set(`key ${index}`, index, { timeoutMs })
      if ((await reader?.get(`key ${index}`, undefined, { timeoutMs })) === index) delivered += 1
    }
    return { expected: tableKeys, delivered }
  } finally {
    await Promise.all(members.map((member) => member.close()))
  }
}

type Start = (
  open: (
    events: Omit<LiveNodeOptions, 'network' | 'name' | 'isBridge' | 'contacts'>,
  ) => Promise<LiveNode>,
) => Promise<LiveNode>
/** Lets every node talk, and counts what each of the others gets. */
type CountArrivals = (
  read: (event: WorldEvent) => readonly [node: string, text: string | null] | undefined,
) => Promise<Arrivals>

async function withNodes(
  participants: Participant[],
  run: (start: Start, arrivals: CountArrivals) => Promise<Arrivals>,
): Promise<Arrivals> {
  const nodes: LiveNode[] = []
  const listeners = new Set<(event: WorldEvent) => void>()
  const start: Start = async (open) => {
    const node = await open({
      onNeighbours: () => undefined,
      onEvent: (event) => {
        for (const listener of listeners) listener(event)
      },
      isSeenHere: () => false,
    })
    nodes.push(node)
    const { network: kind, language, id } = node.facts
    participants.push({ kind, language, id })
    return node
  }
  const arrivals: CountArrivals = (read) =>
    new Promise((resolve, reject) => {
      const missing = new Set<string>()
      const texts = nodes.map(({ facts }) => `word of ${facts.name}`)
      nodes.forEach(({ facts }, index) => {
        for (const text of texts) if (text !== texts[index]) missing.add(`${facts.id} ${text}`)
      })
      const expected = missing.size
      const late = AbortSignal.timeout(timeoutMs)
      const finish = (): void => resolve({ expected, delivered: expected - missing.size })
      late.addEventListener('abort', finish)
      listeners.add((event) => {
        const [node, text] = read(event) ?? []
        // Values of a dictionary are shown as JSON.
        missing.delete(`${node} ${text?.replaceAll('"', '')}`)
        if (missing.size === 0) finish()
      })
      Promise.all(nodes.map((node, index) => node.talk(texts[index] ?? ''))).catch(reject)
    })
  try {
    return await run(start, arrivals)
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
  }
}
