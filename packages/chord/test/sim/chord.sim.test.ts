import { expect, test } from '@jest/globals'
import { encodeValue, utf8Encode } from '@p2p/serializer'
import { hashTables, slotsOf } from '../../src/protocol/hash-tables.ts'
import { StoredSlot } from '../../src/protocol/slot-store.ts'
import { ChordNetwork } from './chord-network.ts'
import type { ChordSimNode } from './chord-network.ts'

const names = Array.from({ length: 20 }, (_, i) => `key ${i}`)

/** Five storing nodes that all know each other. */
function storingNetwork(options: {
  seed: number
  extensions?: boolean
  size?: number
}): ChordNetwork {
  const { seed, extensions = true, size = 5 } = options
  const network = new ChordNetwork({ seed, machine: { extensions } })
  for (const node of network.addMany(size)) node.join()
  network.sim.runFor(2_000)
  return network
}

const first = (network: ChordNetwork): ChordSimNode => {
  const [node] = network.nodes
  if (node === undefined) throw new Error('an empty network')
  return node
}

test.each([true, false])(
  'what one node writes, every other reads (extensions: %s)',
  (extensions) => {
    const network = storingNetwork({ seed: 1, extensions })
    for (const node of network.nodes) expect(node.machine.storingNodes.size).toBe(5)
    const writes = names.map((name) => first(network).write(name, { name }))
    network.sim.runFor(2_000)
    expect(writes.map((write) => write())).toEqual(names.map(() => 'written'))
    for (const node of network.nodes) {
      const reads = names.map((name) => node.read(name))
      network.sim.runFor(2_000)
      expect(reads.map((read) => read())).toEqual(names.map((name) => ({ name })))
      expect(node.keyCount()).toBe(names.length)
    }
  },
)

test('each slot lies at its owner and the four nodes behind it, and nowhere else', () => {
  const network = new ChordNetwork({ seed: 2 })
  for (const node of network.addMany(9)) node.join()
  network.sim.runFor(2_000)
  names.forEach((name) => first(network).write(name, 1))
  network.sim.runFor(2_000)
  for (const name of names) {
    for (const slot of slotsOf(utf8Encode(name))) {
      const holders = network.nodes.filter((node) => node.machine.slots.get(slot) !== undefined)
      const should = first(network).machine.storingNodes.holdersOf(slot.position, 5)
      expect(new Set(holders.map((node) => node.machine.id))).toEqual(
        new Set(should.map(({ id }) => id)),
      )
    }
  }
})

test('a newcomer is handed what is nearer to it and serves it', () => {
  const network = storingNetwork({ seed: 3 })
  names.forEach((name) => first(network).write(name, name))
  network.sim.runFor(2_000)
  const newcomer = network.add()
  for (const node of network.nodes) if (node !== newcomer) network.connect(newcomer, node)
  network.sim.runFor(2_000)
  newcomer.join()
  network.sim.runFor(2_000)
  const owned = names
    .flatMap((name) => slotsOf(utf8Encode(name)))
    .filter(
      ({ position }) => newcomer.machine.storingNodes.ownerOf(position)?.id === newcomer.machine.id,
    )
  expect(owned.length).toBeGreaterThan(0)
  for (const slot of owned) expect(newcomer.machine.slots.get(slot)?.value).toBeDefined()
  expect(newcomer.keyCount()).toBe(names.length)
  const reads = names.map((name) => first(network).read(name))
  network.sim.runFor(2_000)
  expect(reads.map((read) => read())).toEqual(names)
})

test('nodes that leave one after the other take nothing with them, not even the last', () => {
  const network = storingNetwork({ seed: 4 })
  names.forEach((name) => first(network).write(name, name))
  network.sim.runFor(2_000)
  for (const node of network.nodes.slice(1)) {
    node.leave()
    network.sim.runFor(1_000)
  }
  const [, reader] = network.nodes
  const reads = names.map((name) => reader?.read(name))
  network.sim.runFor(2_000)
  expect(reads.map((read) => read?.())).toEqual(names)
  const last = first(network)
  last.leave()
  network.sim.runFor(1_000)
  expect(last.machine.slots.size).toBe(names.length * hashTables.length)
})

test('a leeching node writes and reads through those that store', () => {
  const network = new ChordNetwork({ seed: 5 })
  const [leech, ...others] = network.addMany(4)
  for (const node of others) node.join()
  network.sim.runFor(2_000)
  const write = leech?.write('key', [1, 2])
  network.sim.runFor(1_000)
  expect(write?.()).toBe('written')
  expect(leech?.machine.slots.size).toBe(0)
  const read = leech?.read('key')
  network.sim.runFor(1_000)
  expect(read?.()).toEqual([1, 2])
})

test('a node that ends right after a write has told all holders of it', () => {
  const network = storingNetwork({ seed: 7 })
  const leech = network.add()
  for (const node of network.nodes) if (node !== leech) network.connect(leech, node)
  network.sim.runFor(2_000)
  leech.write('early', 1)
  network.sim.runFor(1)
  leech.write('late', 1)
  leech.leave()
  network.sim.runFor(1)
  leech.sim.crash()
  network.sim.runFor(1_000)
  const holders = network.nodes.filter((node) => node !== leech)
  expect(holders.map(({ machine }) => machine.slots.size)).toEqual(holders.map(() => 10))
})

test('who was out of reach for some seconds is asked again, by a node that does not store as well', () => {
  const network = new ChordNetwork({ seed: 5 })
  const [leech, store] = network.addMany(2)
  store?.join()
  network.sim.runFor(2_000)
  if (store !== undefined) network.sim.isolate(store.sim, 4_000)
  const early = leech?.write('key', 1)
  network.sim.runFor(3_500)
  expect(early?.()).toBe('pending')
  network.sim.runFor(6_500)
  expect(early?.()).toBe('written')
  expect([...(leech?.machine.peers.keys() ?? [])]).toEqual([store?.machine.id])
  network.sim.runFor(30_000)
  const write = leech?.write('key', 2)
  network.sim.runFor(1_000)
  expect(write?.()).toBe('written')
})

test('two sides that were parted for twenty minutes are one ring again in a few', () => {
  const network = new ChordNetwork({ seed: 5 })
  const nodes = network.addMany(6)
  for (const node of nodes) node.join()
  const sizes = (): number[] => nodes.map(({ machine }) => machine.storingNodes.size)
  network.sim.runFor(10_000)
  expect(sizes()).toEqual([6, 6, 6, 6, 6, 6])
  const sides = [nodes.slice(0, 3), nodes.slice(3)]
  const cut = network.sim.partition(sides.map((side) => side.map(({ sim }) => sim)))
  network.sim.runFor(1_200_000)
  expect(sizes()).toEqual([3, 3, 3, 3, 3, 3])
  cut.heal()
  network.sim.runUntil(() => sizes().every((size) => size === 6), 300_000)
  expect(sizes()).toEqual([6, 6, 6, 6, 6, 6])
})

test('a node that comes back with a clock that is behind writes over what it restored', () => {
  const network = new ChordNetwork({ seed: 5 })
  const version = { time: (network.sim.utcSeconds + 30) * 1_000, writer: 'z' }
  const restored = slotsOf(utf8Encode('key')).map(
    (slot) => new StoredSlot(slot, { value: encodeValue('old'), version }),
  )
  const node = network.add({ restored })
  network.sim.runFor(100)
  node.join()
  node.write('key', 'new')
  const read = node.read('key')
  network.sim.runFor(100)
  expect(read()).toBe('new')
})

test('where nobody stores, a write fails and says so', () => {
  const network = new ChordNetwork({ seed: 6 })
  const [node] = network.addMany(2)
  const write = node?.write('key', 1)
  network.sim.runFor(1_000)
  expect(write?.()).toBe('failed')
})

test('a deleted key is gone everywhere, and a second delete does no harm', () => {
  const network = storingNetwork({ seed: 7 })
  const [writer, deleter, reader] = network.nodes
  writer?.write('key', 'v')
  network.sim.runFor(1_000)
  for (let times = 0; times < 2; times += 1) {
    const deleted = deleter?.write('key', null)
    network.sim.runFor(3_000)
    expect(deleted?.()).toBe('written')
  }
  const read = reader?.read('key')
  network.sim.runFor(5_000)
  expect(read?.()).toBe('absent')
  for (const node of network.nodes)
    expect([node.keyCount(), node.machine.peers.size]).toEqual([0, 4])
})

test('a write of a node whose clock is behind is what is read from then on', () => {
  const network = storingNetwork({ seed: 11 })
  const [ahead, other] = network.nodes
  // One that stores would set its clock by what it is given to keep.
  const behind = network.add()
  if (ahead === undefined) throw new Error('no nodes')
  network.connect(behind, ahead)
  network.sim.runFor(1_000)
  const early = behind.machine.handle.bind(behind.machine)
  behind.machine.handle = (input, now) => early(input, { ...now, utcSeconds: now.utcSeconds - 30 })
  const first = ahead.write('key', 'first')
  network.sim.runFor(1_000)
  const second = behind.write('key', 'second')
  network.sim.runFor(1_000)
  const read = other?.read('key')
  network.sim.runFor(1_000)
  expect([first(), second(), read?.()]).toEqual(['written', 'written', 'second'])
})

test('of two writes of one node under way together the later one stands', () => {
  const network = storingNetwork({ seed: 15, size: 6 })
  const writer = network.add()
  for (const node of network.nodes.slice(0, 6)) network.connect(writer, node)
  network.sim.runFor(3_000)
  const pairs = names.map((name) => [writer.write(name, 'first'), writer.write(name, 'second')])
  network.sim.runFor(5_000)
  expect(pairs.flat().map((write) => write())).toEqual(names.flatMap(() => ['written', 'written']))
  const reads = names.map((name) => first(network).read(name))
  network.sim.runFor(3_000)
  expect(reads.map((read) => read())).toEqual(names.map(() => 'second'))
})

/** Keys of which this node owns three tables, as another sees it. */
function keysOwnedBy(owner: ChordSimNode, seenBy: ChordSimNode): readonly string[] {
  const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`)
  const owned = keys.filter((key) => {
    const places = seenBy.machine.locate(utf8Encode(key))
    return places.filter((place) => place.owner === owner.machine.id).length >= 3
  })
  return owned.slice(0, 10)
}

test('a write reaches an owner that its writer cannot dial, through others', () => {
  const network = new ChordNetwork({ seed: 1 })
  const hub = network.add()
  const [writer, owner] = [network.add({}, { listens: false }), network.add({}, { listens: false })]
  for (const node of [writer, owner]) network.connect(node, hub)
  network.sim.runFor(2_000)
  for (const node of network.nodes) node.join()
  network.sim.runFor(60_000)
  const keys = keysOwnedBy(owner, hub)
  expect(keys).toHaveLength(10)
  for (const value of ['old', 'new', null]) {
    const writes = keys.map((key) => (value === 'old' ? hub : writer).write(key, value))
    network.sim.runFor(5_000)
    expect(writes.map((write) => write())).toEqual(keys.map(() => 'written'))
    const reads = keys.map((key) => hub.read(key))
    network.sim.runFor(3_000)
    expect(reads.map((read) => read())).toEqual(keys.map(() => value ?? 'absent'))
  }
})

test('an owner that stood still for some seconds is told of what is written while it is passed over', () => {
  const network = storingNetwork({ seed: 16, size: 3 })
  const [writer, reader, owner] = network.nodes
  if (writer === undefined || reader === undefined || owner === undefined) throw new Error('nobody')
  const keys = keysOwnedBy(owner, reader)
  for (const key of keys) reader.write(key, 'old')
  network.sim.runFor(2_000)
  owner.sim.pause(3_500)
  writer.write('another', 'v')
  network.sim.runFor(4_500)
  const writes = keys.map((key) => writer.write(key, 'new'))
  network.sim.runFor(2_000)
  expect(writes.map((write) => write())).toEqual(keys.map(() => 'written'))
  const reads = keys.map((key) => reader.read(key))
  network.sim.runFor(2_000)
  expect(reads.map((read) => read())).toEqual(keys.map(() => 'new'))
})

test('a holder that had no room for a write is not believed', () => {
  const network = new ChordNetwork({ seed: 3 })
  network.add({ slotLimits: { maxValueBytes: 20_000 } })
  network.addMany(2)
  const [full, writer, reader] = network.nodes
  if (full === undefined || writer === undefined || reader === undefined) throw new Error('nobody')
  for (const node of [writer, reader]) network.connect(node, full)
  network.sim.runFor(1_000)
  for (const node of network.nodes) node.join()
  network.sim.runFor(5_000)
  for (const length of [100, 150, 200, 250, 300]) {
    const value = 'x'.repeat(length)
    const writes = names.map((name) => writer.write(name, value))
    network.sim.runFor(3_000)
    expect(writes.map((write) => write())).toEqual(names.map(() => 'written'))
    const reads = names.map((name) => reader.read(name))
    network.sim.runFor(3_000)
    expect(reads.map((read) => read() === value)).toEqual(names.map(() => true))
  }
  expect(full.machine.counters()['refusedStores']).toBeGreaterThan(0)
})

test('a write that all others refuse for lack of room is not acknowledged', () => {
  const network = new ChordNetwork({ seed: 3 })
  const roomy = network.add()
  for (let count = 1; count < 5; count += 1)
    network.connect(network.add({ slotLimits: { maxValueBytes: 20_000 } }), roomy)
  network.sim.runFor(1_000)
  for (const node of network.nodes) node.join()
  network.sim.runFor(5_000)
  const written = names.filter((name) => {
    const write = roomy.write(name, 'x'.repeat(500))
    network.sim.runFor(1_000)
    return write() === 'written'
  })
  expect(written.length).toBeLessThan(names.length)
  roomy.sim.crash()
  network.sim.runFor(60_000)
  const reads = written.map((name) => network.nodes[1]?.read(name))
  network.sim.runFor(5_000)
  expect(reads.map((read) => read?.())).toEqual(written.map(() => 'x'.repeat(500)))
})

test('a node that is cut off acknowledges nothing by itself; it writes on when the others are back', () => {
  const network = storingNetwork({ seed: 5 })
  const [writer, ...others] = network.nodes
  const [reader] = others
  if (writer === undefined || reader === undefined) throw new Error('too few nodes')
  const partition = network.sim.partition([[writer.sim], others.map(({ sim }) => sim)])
  const writes = names.map((name) => writer.write(name, 'new'))
  network.sim.runFor(6_000)
  expect(new Set(writes.map((write) => write()))).toEqual(new Set(['pending']))
  partition.heal()
  network.sim.runFor(6_000)
  expect(new Set(writes.map((write) => write()))).toEqual(new Set(['written']))
  const reads = names.map((name) => reader.read(name))
  network.sim.runFor(3_000)
  expect(reads.map((read) => read())).toEqual(names.map(() => 'new'))
})

test('of two, the one that is left writes on when the ring knows that the other is gone', () => {
  const network = storingNetwork({ seed: 5, size: 2 })
  const [writer, other] = network.nodes
  if (writer === undefined || other === undefined) throw new Error('too few nodes')
  other.sim.crash()
  const write = writer.write('key', 'v')
  network.sim.runUntil(() => write() !== 'pending', 10_000)
  expect([write(), writer.machine.storingNodes.size]).toEqual(['written', 1])
})

test.each([
  { repairMs: 60_000, stillMs: 4_000 },
  { repairMs: 400, stillMs: 14_000 },
])('who leaves waits for an heir that stands still for $stillMs ms', ({ repairMs, stillMs }) => {
  const network = new ChordNetwork({ seed: 1, machine: { repairMs } })
  const [leaver, heir] = [network.add(), network.add()]
  leaver.join()
  network.sim.runFor(1_000)
  for (const name of names) leaver.write(name, 1)
  network.connect(heir, leaver)
  network.sim.runFor(1_000)
  heir.join()
  network.sim.runUntil(() => leaver.machine.storingNodes.size === 2, 3_000)
  heir.sim.pause(stillMs)
  const left = leaver.leave(30_000)
  network.sim.runUntil(() => left() !== 'pending', 40_000)
  leaver.sim.crash()
  expect(heir.machine.slots.size).toBe(5 * names.length)
})

test('those that come back from their stores at once are not believed before they have been told', () => {
  const network = storingNetwork({ seed: 3 })
  const [writer, reader, ...others] = network.nodes
  if (writer === undefined || reader === undefined) throw new Error('too few nodes')
  names.forEach((name) => writer.write(name, 'old'))
  network.sim.runFor(2_000)
  const whole = { from: 0n, to: 0n }
  const kept = others.map(({ machine }) => [...machine.slots.inArc(whole)])
  for (const { sim } of others) sim.crash()
  network.sim.runFor(60_000)
  names.forEach((name) => writer.write(name, 'new'))
  network.sim.runFor(60_000)
  const back = kept.map((restored) => network.add({ restored }))
  for (const node of back) for (const to of [writer, reader]) network.connect(node, to)
  network.sim.runFor(1_000)
  for (const node of back) node.join()
  network.sim.runFor(900)
  const reads: (() => unknown)[] = []
  for (let time = 0; time < 1_000; time += 20) {
    network.sim.runFor(20)
    for (const node of [reader, ...back]) reads.push(...names.map((name) => node.read(name)))
  }
  network.sim.runFor(10_000)
  expect(new Set(reads.map((read) => read()))).toEqual(new Set(['new']))
})

test('a key that was deleted is listed by nobody, though one was away for minutes', () => {
  const network = storingNetwork({ seed: 12 })
  const [writer, away, ...others] = network.nodes
  if (writer === undefined || away === undefined) throw new Error('too few nodes')
  writer.write('key', 'v')
  network.sim.runFor(2_000)
  expect(network.nodes.map((node) => node.keyCount())).toEqual(network.nodes.map(() => 1))
  const partition = network.sim.partition([[away.sim], [writer, ...others].map(({ sim }) => sim)])
  network.sim.runFor(1_000)
  writer.write('key', null)
  network.sim.runFor(240_000)
  partition.heal()
  network.sim.runFor(240_000)
  expect(network.nodes.map((node) => node.keyCount())).toEqual(network.nodes.map(() => 0))
})

test('a deleted key that some who keep none of its slots still list, because they were away, is soon listed by nobody', () => {
  const network = new ChordNetwork({ seed: 14 })
  const nodes = network.addMany(20)
  for (const node of nodes) node.join()
  network.sim.runFor(10_000)
  nodes[0]?.write('key', 'v')
  network.sim.runFor(10_000)
  const slots = slotsOf(utf8Encode('key'))
  const keepsNone = nodes.filter(({ machine }) => !slots.some((slot) => machine.slots.get(slot)))
  const away = keepsNone.filter((node) => node !== nodes[0]).slice(0, 2)
  expect(away).toHaveLength(2)
  const rest = nodes.filter((node) => !away.includes(node))
  const partition = network.sim.partition([away, rest].map((side) => side.map(({ sim }) => sim)))
  network.sim.runFor(1_000)
  nodes[0]?.write('key', null)
  network.sim.runFor(240_000)
  expect(new Set(rest.map((node) => node.keyCount()))).toEqual(new Set([0]))
  partition.heal()
  network.sim.runFor(240_000)
  expect(nodes.map((node) => node.keyCount())).toEqual(nodes.map(() => 0))
})

test('an absent key is reported after the grace time, not after the whole time', () => {
  const network = storingNetwork({ seed: 9 })
  const read = first(network).read('nothing')
  network.sim.runFor(2_000)
  expect(read()).toBe('absent')
})

test('a node that only knows a leeching node in between still reaches the owner', () => {
  const policy = { listsPeersAfterHandshake: false, dialsKnownPeers: false }
  const network = new ChordNetwork({ seed: 10, machine: { policy } })
  const [left, middle, right] = [network.add(), network.add(), network.add()]
  network.connect(left, middle)
  network.connect(middle, right)
  network.sim.runFor(1_000)
  right.join()
  network.sim.runFor(1_000)
  right.write('key', 'v')
  network.sim.runFor(1_000)
  const read = left.read('key')
  network.sim.runFor(5_000)
  expect(read()).toBe('v')
})

test('what is asked before the ring is known waits for it, and no longer than a second', () => {
  // A smaller ring tells with the last word of the handshake.
  const network = storingNetwork({ seed: 11, size: 20 })
  first(network).write('key', 'v')
  network.sim.runFor(2_000)
  const newcomer = network.add()
  network.connect(newcomer, first(network))
  expect(network.sim.runUntil(() => newcomer.machine.peers.size > 0, 2_000)).toBe(true)
  expect(newcomer.machine.storingNodes.size).toBe(0)
  const [read, write] = [newcomer.read('key'), newcomer.write('other', 1)]
  network.sim.runFor(2_000)
  expect([read(), write()]).toEqual(['v', 'written'])

  const lonely = new ChordNetwork({ seed: 12 })
  const [one] = [lonely.add(), lonely.add()]
  const [, other] = lonely.nodes
  if (other !== undefined) lonely.connect(one, other)
  lonely.sim.runUntil(() => one.machine.peers.size > 0, 2_000)
  const failed = one.write('key', 1)
  lonely.sim.runFor(1_000)
  expect(failed()).toBe('failed')
})
