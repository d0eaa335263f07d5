/**
 * A process that writes its dictionary to disk as fast as it can, and says on stdout which write is in
 * the store, until somebody kills it. First line: what it found when it opened the store.
 *
 *   node writer.js FOLDER ROUND
 */
import { LevelStore, SyncNode } from '@p2p/sync'
import { ClassicLevel } from 'classic-level'

const [folder = '', round = '0'] = process.argv.slice(2)
const keyCount = 50

const store = new LevelStore(new ClassicLevel<string, Uint8Array>(folder))
const node = await SyncNode.open({ store, leasing: false, extensions: true })
say({ found: Object.fromEntries(node.entries()) })

for (let number = 0; ; number++) {
  const key = `key ${number % keyCount}`
  const value = `${round.padStart(6, '0')} ${String(number).padStart(9, '0')}`
  node.set(key, value)
  await node.persisted()
  say({ acknowledged: [key, value] })
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
