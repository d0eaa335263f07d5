/** The hash table network (chord): what one node stores, any node finds. */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { withLab } from '../lab.ts'
import type { ProgramName, Programs } from '../lab.ts'
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
  const keys = Array.from({ length: keyCount }, (_, index): [Tagged, Tagged] => [
    bytes(new TextEncoder().encode(`${prefix} key ${index}`)),
    text(`value ${index}`),
  ])
  for (const [key, value] of keys) await writer.request('set', { key, value })
  for (const [key, value] of keys)
    for (const node of [reader, writer]) {
      const answer = await node.request('get', { key, wait: 5 })
      const got = JSON.stringify(answer['value'])
      expectThat(got === JSON.stringify(value), `${node.name} got ${got}`)
    }
  return ''
}
