/**
 * A process with a ring of three hash table nodes, each with a store on disk, that writes as fast as it can
 * and says on stdout which write is acknowledged and in the stores, until somebody kills it. First line:
 * what the nodes have when they have come back from their stores.
 *
 *   node chord-writer.js FOLDER ROUND
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ChordNode, LevelStore } from '@p2p/chord'
import { ClassicLevel } from 'classic-level'
import { knowsRing } from './ring.ts'

const [folder = '', round = '0'] = process.argv.slice(2)
const keyCount = 20

const nodes: ChordNode[] = []
for (const name of ['a', 'b', 'c']) {
  mkdirSync(join(folder, name), { recursive: true })
  const store = new LevelStore(new ClassicLevel<string, Uint8Array>(join(folder, name)))
  const connect = nodes[0]?.addresses.slice(0, 1) ?? []
  nodes.push(await ChordNode.open({ listen: 'tcp://127.0.0.1:0', connect, store, join: true }))
}
await Promise.all(nodes.map((node) => knowsRing(node, nodes.length)))
const [, , reader] = nodes
const names = Array.from({ length: keyCount }, (_, index) => `key ${index}`)
const values = await Promise.all(names.map((name) => reader?.get(name, '')))
say({ found: Object.fromEntries(names.map((name, index) => [name, values[index]])) })

for (let number = 0; ; number++) {
  const key = `key ${number % keyCount}`
  const value = `${round.padStart(6, '0')} ${String(number).padStart(9, '0')}`
  await nodes[number % nodes.length]?.set(key, value)
  await Promise.all(nodes.map((node) => node.persisted()))
  say({ acknowledged: [key, value] })
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
