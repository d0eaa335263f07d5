/**
 * A process with some nodes of a hash table, without disks, that write as fast as they can. At the last of WRITES
 * acknowledgements it says on stdout which keys it was told are safe, and ends itself by SIGKILL, all in the same turn:
 * whatever these nodes still had to send is gone.
 *
 *   node burst-writer.js NODES RING WRITES SEED
 */
import { writeSync } from 'node:fs'
import type { ChordNode } from '@p2p/chord'
import { knowsRing, openNodes } from './ring.ts'

const [nodeCount, ringSize, writes] = process.argv.slice(2, 5).map(Number)
const seed = process.argv[5] ?? ''
const nodes = await openNodes(nodeCount ?? 1, [seed])
await Promise.all(nodes.map((node) => knowsRing(node, ringSize ?? 1)))
const acknowledged: string[] = []
let next = 0
// One after the other at each node: an acknowledgement comes soonest where nothing waits before it.
for (const node of nodes) void write(node)

async function write(node: ChordNode): Promise<void> {
  for (;;) {
    const key = `key ${next++}`
    await node.set(key, `value of ${key}`)
    acknowledged.push(key)
    if (acknowledged.length !== writes) continue
    // A write to a pipe of more than its capacity blocks until the other side has read: nothing of it is lost.
    writeSync(1, JSON.stringify(acknowledged))
    process.kill(process.pid, 'SIGKILL')
  }
}
