import { expect, test } from '@jest/globals'
import { utf8Encode } from '@p2p/serializer'
import { slotsOf } from '../../src/protocol/hash-tables.ts'
import { ChordNetwork, type ChordSimNode } from './chord-network.ts'

const names = Array.from({ length: 20 }, (_, i) => `key ${i}`)

test.each([
  {
    size: 8,
    atFirst: 'joined',
    how: 'a small ring tells a newcomer with the last word of the handshake',
  },
  { size: 20, atFirst: 'pending', how: 'a larger one is asked' },
])(
  'once a node has joined it knows the ring, and reads and writes what the right nodes hold: $how',
  ({ size, atFirst }) => {
    // Words that are written together arrive together.
    const network = new ChordNetwork({ seed: 2, conditions: { splitChance: 0 } })
    const others = network.addMany(size)
    for (const node of others) node.join()
    network.sim.runFor(3_000)
    for (const name of names) others[0]?.write(name, name)
    network.sim.runFor(2_000)
    const newcomer = network.add()
    for (const node of others.slice(0, 2)) network.connect(newcomer, node)
    expect(network.sim.runUntil(() => newcomer.machine.peers.size > 0, 2_000)).toBe(true)
    const joined = newcomer.join()
    expect(joined()).toBe(atFirst)
    expect(network.sim.runUntil(() => joined() === 'joined', 1_000)).toBe(true)
    expect(newcomer.machine.storingNodes.size).toBe(size + 1)
    const reads = names.map((name) => newcomer.read(name))
    const write = newcomer.write('new', 'v')
    network.sim.runUntil(() => write() === 'written', 2_000)
    const atOwners = slotsOf(utf8Encode('new')).filter((slot) => {
      const owner = newcomer.machine.storingNodes.ownerOf(slot.position)?.id
      const holder = network.nodes.find(({ machine }) => machine.id === owner)
      return holder?.machine.slots.get(slot) !== undefined
    })
    expect(atOwners.length).toBeGreaterThanOrEqual(3)
    network.sim.runFor(2_000)
    expect(reads.map((read) => read())).toEqual(names)
  },
)

test('who uses the table only is told of all peers; who stores meets the ring, and is told only where that is large', () => {
  const met = (size: number, stores: boolean): boolean => {
    const network = new ChordNetwork({ seed: 2 })
    const [hidden, first, ...others] = network.addMany(size + 1)
    if (hidden === undefined || first === undefined) throw new Error('no nodes')
    for (const node of [first, ...others]) node.join()
    network.sim.runFor(3_000)
    const newcomer = network.add()
    network.connect(newcomer, first)
    network.sim.runUntil(() => newcomer.machine.peers.size > 0, 2_000)
    if (stores) newcomer.join()
    network.sim.runFor(10_000)
    return newcomer.machine.peers.has(hidden.machine.id)
  }
  expect(met(6, false)).toBe(true)
  expect(met(6, true)).toBe(false)
})

test('a node without neighbours has joined at once, and one among nodes that do not store as soon as they say so', () => {
  const network = new ChordNetwork({ seed: 2 })
  const alone = network.add()
  network.sim.runFor(100)
  const joined = alone.join()
  network.sim.runFor(1)
  expect(joined()).toBe('joined')
  const write = alone.write('key', 1)
  network.sim.runFor(100)
  expect(write()).toBe('written')

  const [one] = new ChordNetwork({ seed: 3 }).addMany(1)
  expect(one?.machine.isStoring).toBe(false)
  const pair = new ChordNetwork({ seed: 4 })
  const [first, second] = [pair.add(), pair.add()]
  pair.connect(second, first)
  expect(pair.sim.runUntil(() => second.machine.peers.size > 0, 2_000)).toBe(true)
  const amongUsers = second.join()
  expect(pair.sim.runUntil(() => amongUsers() === 'joined', 500)).toBe(true)
})

test('a join of which no neighbour tells fails in time, and the node stores all the same', () => {
  const network = new ChordNetwork({ seed: 5 })
  // So many that a newcomer has to ask.
  const others = network.addMany(20)
  for (const node of others) node.join()
  network.sim.runFor(3_000)
  const second = network.add()
  network.connect(second, others[0] ?? second)
  expect(network.sim.runUntil(() => second.machine.peers.size > 0, 2_000)).toBe(true)
  const partition = network.sim.partition([others.map(({ sim }) => sim), [second.sim]])
  const joined = second.join()
  network.sim.runFor(4_900)
  expect(joined()).toBe('pending')
  network.sim.runFor(200)
  expect([joined(), second.machine.isStoring]).toEqual(['failed', true])
  partition.heal()
  network.sim.runFor(10_000)
  expect(second.machine.storingNodes.size).toBe(21)
})

test('a join does not wait for neighbours that die, and cancelling it leaves nothing behind', () => {
  const network = new ChordNetwork({ seed: 6 })
  const [first, second] = [network.add(), network.add()]
  network.connect(second, first)
  expect(network.sim.runUntil(() => second.machine.peers.size > 0, 2_000)).toBe(true)
  first.sim.crash({ keepStore: false })
  const joined = second.join()
  expect(network.sim.runUntil(() => joined() === 'joined', 4_900)).toBe(true)
})

/** Two nodes that store, one of which is about to leave and does not hear from the other. */
function aboutToLeave(): { network: ChordNetwork; leaver: ChordSimNode; heal: () => void } {
  const network = new ChordNetwork({ seed: 7 })
  const [leaver, other] = network.addMany(2) as [ChordSimNode, ChordSimNode]
  for (const node of [leaver, other]) node.join()
  network.sim.runFor(3_000)
  leaver.write('key', 'value')
  network.sim.runFor(1_000)
  const partition = network.sim.partition([[leaver.sim], [other.sim]])
  const heal = (): void => {
    partition.heal()
  }
  return { network, leaver, heal }
}

test('a node that joins while it leaves stays, and who waits for it to leave is told', () => {
  const { network, leaver, heal } = aboutToLeave()
  const left = leaver.leave()
  network.sim.runFor(100)
  expect([left(), leaver.machine.isStoring]).toEqual(['pending', true])
  const joined = leaver.join()
  network.sim.runFor(100)
  expect([joined(), left()]).toEqual(['joined', 'failed'])
  heal()
  network.sim.runFor(20_000)
  expect(leaver.machine.isStoring).toBe(true)
})

test('who asks to leave twice has left twice, when the first of both times is over', () => {
  const { network, leaver } = aboutToLeave()
  const first = leaver.leave(10_000)
  const second = leaver.leave(2_000)
  network.sim.runFor(1_900)
  expect([first(), second(), leaver.machine.isStoring]).toEqual(['pending', 'pending', true])
  network.sim.runFor(200)
  expect([first(), second(), leaver.machine.isStoring]).toEqual(['left', 'left', false])
})

test('who comes back with what it kept is not believed before it has heard of what was written since', () => {
  const network = new ChordNetwork({ seed: 5 })
  const nodes = network.addMany(3)
  for (const node of nodes) node.join()
  network.sim.runFor(10_000)
  const [writer, reader, back] = nodes
  if (writer === undefined || reader === undefined || back === undefined) throw new Error('nobody')
  const names = Array.from({ length: 40 }, (_, index) => `key ${index}`)
  const write = (value: string | null): void => {
    for (const name of names) writer.write(name, value)
    network.sim.runFor(3_000)
  }
  for (const value of ['new', null]) {
    write('old')
    back.leave()
    network.sim.runFor(3_000)
    write(value)
    back.join()
    const reads: (() => unknown)[] = []
    for (let step = 0; step < 20; step += 1) {
      for (const name of names) reads.push(reader.read(name))
      network.sim.runFor(60)
    }
    network.sim.runFor(10_000)
    expect(new Set(reads.map((read) => read()))).toEqual(new Set([value ?? 'absent']))
  }
})
