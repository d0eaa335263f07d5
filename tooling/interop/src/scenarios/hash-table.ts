/** The hash table network (chord): what one node stores, any node finds. */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { loopbackHosts, withLab } from '../lab.ts'
import type { Lab, ProgramName, Programs } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'
import { bytes, text } from '../tagged.ts'
import type { Tagged } from '../tagged.ts'

const keyCount = 8

export async function runHashTable(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const [a, b] = await Promise.all([
      lab.start(side.a as ProgramName, { kind: 'chord' }),
      lab.start(side.b as ProgramName, { kind: 'chord' }),
    ])
    const [from, to] = side.dialler === 'a' ? [a, b] : [b, a]
    const connected = await checks.check(side, 'connect and join', async () => {
      await from.request('connect', { address: to.address })
      await Promise.all([from.waitForPeer(to.id), to.waitForPeer(from.id)])
      // One after the other: two that join at once can lose their link to py2p's handshake race.
      await from.request('join')
      await storing(to, from)
      await to.request('join')
      await storing(from, to)
      return ''
    })
    if (!connected) return
    await checks.check(side, `${keyCount} keys set at a, read at b`, () => storeAndRead(a, b, 'a'))
    await checks.check(side, `${keyCount} keys set at b, read at a`, () => storeAndRead(b, a, 'b'))
  })
}

/** Waits until `node` knows that `peer` stores. */
async function storing(node: NodeProcess, peer: NodeProcess): Promise<void> {
  await node.waitFor(
    'peer_meta',
    ({ ev, id, storing: stores }) => ev === 'peer_meta' && id === peer.id && stores === true,
  )
}

async function storeAndRead(
  writer: NodeProcess,
  reader: NodeProcess,
  prefix: string,
): Promise<string> {
  const entries = entriesOf(prefix, keyCount)
  await setAll(writer, entries)
  for (const node of [reader, writer]) await expectAll(node, entries)
  return ''
}

type Entries = readonly (readonly [key: Tagged, value: Tagged])[]

function entriesOf(prefix: string, count: number, version = ''): Entries {
  return Array.from({ length: count }, (_, index) => [
    bytes(new TextEncoder().encode(`${prefix} key ${index}`)),
    text(`value ${index}${version}`),
  ])
}

async function setAll(writer: NodeProcess, entries: Entries): Promise<void> {
  for (const [key, value] of entries) await writer.request('set', { key, value })
}

async function expectAll(reader: NodeProcess, entries: Entries): Promise<void> {
  for (const [key, value] of entries) {
    const answer = await reader.request('get', { key, wait: 5 })
    const got = JSON.stringify(answer['value'])
    expectThat(got === JSON.stringify(value), `${reader.name} got ${got}`)
  }
}

/** Keys per writer in the network of five. */
const mixedKeyCount = 10

/**
 * Three nodes of ours and two of program `b`, all storing: what either writes the other reads, and a
 * node of program `b` that leaves, or dies, takes nothing with it. Of js2p there is only one: two of
 * them fail each other, as js2p raises an error in its choice of links (spec/chord.md §8).
 */
export async function runMixedTable(programs: Programs, side: Side, checks: Checks): Promise<void> {
  const theirCount = side.b === 'js2p' ? 1 : 2
  const feature = `three of ${side.a}, ${theirCount === 1 ? 'one' : 'two'} of ${side.b}`
  const hosts = await loopbackHosts(3 + theirCount)
  if (hosts === undefined) {
    checks.skip(side, feature, 'needs several loopback addresses')
    return
  }
  await withLab(programs, async (lab) => {
    const nodes: NodeProcess[] = []
    const joined = await checks.check(side, `${feature}: all join`, async () => {
      for (const [index, host] of hosts.entries()) {
        const program = (index < 3 ? side.a : side.b) as ProgramName
        // Without compression a network of several py2p nodes holds together.
        const compression = program === 'py2p' ? { compression: [] } : {}
        nodes.push(await joinedNode(lab, program, nodes, { host, ...compression }))
      }
      return ''
    })
    const [first, second, third, fourth, fifth] = nodes
    if (!joined || !first || !second || !third || !fourth) return
    const ours = [first, second, third]
    await checks.check(side, `${feature}: all know each other`, async () => {
      for (const node of nodes)
        for (const peer of nodes) if (peer !== node) await storing(node, peer)
      return ''
    })
    const fromOurs = entriesOf('of ours', mixedKeyCount)
    const fromTheirs = entriesOf('of theirs', mixedKeyCount)
    await checks.check(side, `${feature}: keys of ours read everywhere`, async () => {
      await setAll(second, fromOurs)
      for (const node of nodes) await expectAll(node, fromOurs)
      return `${mixedKeyCount} keys at ${nodes.length} nodes`
    })
    await checks.check(side, `${feature}: keys of theirs read everywhere`, async () => {
      await setAll(fourth, fromTheirs)
      for (const node of nodes) await expectAll(node, fromTheirs)
      return `${mixedKeyCount} keys at ${nodes.length} nodes`
    })
    await checks.check(side, `${feature}: one of theirs leaves, nothing is lost`, async () => {
      await fourth.request('unjoin')
      for (const node of ours) await notStoring(node, fourth)
      for (const node of fifth === undefined ? ours : [...ours, fifth]) {
        await expectAll(node, fromOurs)
        await expectAll(node, fromTheirs)
      }
      return `${2 * mixedKeyCount} keys at the others`
    })
    if (fifth === undefined) return
    await checks.check(side, `${feature}: the other one dies, nothing is lost`, async () => {
      await lab.crash(fifth)
      for (const node of ours) await node.waitForLeave(fifth.id)
      for (const node of ours) {
        await expectAll(node, fromOurs)
        await expectAll(node, fromTheirs)
      }
      return `${2 * mixedKeyCount} keys at 3 nodes`
    })
  })
}

/** A node that stores, connected to the first of those that are there: py2p falls apart when joins come later. */
async function joinedNode(
  lab: Lab,
  program: ProgramName,
  earlier: readonly NodeProcess[],
  listen: Readonly<Record<string, unknown>>,
): Promise<NodeProcess> {
  const node = await lab.start(program, { kind: 'chord', ...listen })
  const [first] = earlier
  if (first !== undefined) {
    await node.request('connect', { address: first.address })
    await Promise.all([node.waitForPeer(first.id), first.waitForPeer(node.id)])
  }
  await node.request('join')
  if (first !== undefined) await storing(first, node)
  return node
}

/** Waits until `node` knows that `peer` stores no more. */
async function notStoring(node: NodeProcess, peer: NodeProcess): Promise<void> {
  await node.waitFor(
    'peer_meta',
    ({ ev, id, storing: stores }) => ev === 'peer_meta' && id === peer.id && stores === false,
  )
}
