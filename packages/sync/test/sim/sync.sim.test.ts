/**
 * The shipped machines, mesh and peer layer included, over a simulated network.
 * `SEED=n` replays the random runs with one seed.
 */
import {
  createMessage,
  decodeValue,
  encodeBase58Integer,
  encodeValue,
  flags,
  utf8Encode,
} from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { encodeRecords } from '../../src/protocol/records.ts'
import type { Write } from '../../src/protocol/write.ts'
import { SyncNetwork } from './sync-network.ts'

const seeds = process.env['SEED'] === undefined ? [1, 2, 3, 4, 5, 6] : [Number(process.env['SEED'])]

/** For a node that keeps to the links it was given. */
const quiet = { listsPeersAfterHandshake: true, dialsKnownPeers: false }

test('what one node writes, changes and deletes is so on all nodes', () => {
  const network = new SyncNetwork({ seed: 1 })
  const nodes = network.addMany(6)
  nodes[0]!.set('colour', 'green')
  nodes[0]!.set('list', [1, 2, { deep: true }])
  network.sim.runFor(2_000)
  for (const node of nodes) {
    expect(node.get('colour')).toBe('green')
    expect(node.get('list')).toEqual([1, 2, { deep: true }])
    expect(node.eventsOf('update')).toHaveLength(2)
  }
  nodes[0]!.set('colour', 'red')
  nodes[0]!.set('list', null)
  nodes[0]!.set('map', { a: 1 })
  nodes[0]!.delta('map', { b: 2 })
  network.sim.runFor(2_000)
  for (const node of nodes) {
    expect(node.get('colour')).toBe('red')
    expect(node.get('list')).toBeUndefined()
    expect(node.get('map')).toEqual({ a: 1, b: 2 })
    expect(node.eventsOf('delete')).toHaveLength(1)
  }
})

test('a key is refused to everybody but its holder, until the lease is over', () => {
  const network = new SyncNetwork({ seed: 2 })
  const [a, b] = network.addMany(2)
  a!.set('key', 1)
  network.sim.runFor(1_000)
  expect(b!.set('key', 2)).toBe(false)
  network.sim.runFor(3_601_000)
  expect(b!.set('key', 2)).toBe(true)
  network.sim.runFor(1_000)
  expect(a!.get('key')).toBe(2)
})

test('a change that comes late, under a later one, is told as well', () => {
  const network = new SyncNetwork({ seed: 21, machine: { leasing: false } })
  const [a, b] = network.addMany(2)
  a!.delta('key', { one: 1 })
  network.sim.runFor(1_000)
  b!.events.length = 0
  const time = Math.floor(network.sim.utcSeconds) - 30
  const payload = [flags.delta, utf8Encode('key'), { two: 2 }]
  const message = createMessage({ type: flags.broadcast, sender: utf8Encode('c'), time, payload })
  a!.sim.command({ type: 'spread', message })
  network.sim.runFor(1_000)
  expect(b!.get('key')).toEqual({ one: 1, two: 2 })
  expect(b!.eventsOf('update').map(({ entry }) => decodeValue(entry.value!))).toEqual([
    { one: 1, two: 2 },
  ])
})

test('without leases the later write stays, also within one second and against a faster clock', () => {
  const network = new SyncNetwork({ seed: 3, machine: { leasing: false } })
  const ahead = network.add({ utcOffsetSeconds: 20 })
  const behind = network.add({ utcOffsetSeconds: -20 })
  network.connect(ahead, behind)
  network.sim.runFor(2_000)
  for (let i = 0; i < 6; i++) {
    const writer = i % 2 === 0 ? ahead : behind
    writer.set('key', i)
    network.sim.runFor(200)
    expect([ahead.get('key'), behind.get('key')]).toEqual([i, i])
  }
  expect(ahead.eventsOf('conflict')).toEqual([])
})

test('a node that comes late gets everything, deletes included', () => {
  const network = new SyncNetwork({ seed: 4 })
  const nodes = network.addMany(3)
  for (let i = 0; i < 2_000; i++) nodes[0]!.set(`key ${i}`, i)
  for (let i = 0; i < 100; i++) nodes[0]!.set(`key ${i}`, null)
  network.sim.runFor(5_000)
  const late = network.add()
  network.connect(late, nodes[2]!)
  network.sim.runFor(5_000)
  expect(late.machine.replica.size).toBe(1_900)
  expect(late.digest()).toBe(nodes[0]!.digest())
})

test('a node that comes late gets more than fits into one turn from one neighbour, without starting over', () => {
  const network = new SyncNetwork({ seed: 4 })
  const [first] = network.addMany(1)
  for (let i = 0; i < 700; i++) first!.set(`key ${i}`, `${i} `.repeat(300))
  const late = network.add()
  network.connect(late, first!)
  network.sim.runFor(3_000)
  expect(late.digest()).toBe(first!.digest())
  const { opened, ignoredTurns } = late.machine.counters()
  expect({ opened, ignoredTurns }).toEqual({ opened: 1, ignoredTurns: 0 })
})

test.each([true, false])(
  'a node whose hello comes late is one of ours from then on (the smaller id is late: %s)',
  (isSmallerLate) => {
    const conditions = { jitterMs: 50 }
    const network = new SyncNetwork({ seed: 4, machine: { policy: quiet }, conditions })
    const [one, two] = [network.add(), network.add()]
    const [late, node] = one.id < two.id === isSmallerLate ? [one, two] : [two, one]
    for (let i = 0; i < 100; i++) late.set(`late ${i}`, i)
    for (let i = 0; i < 100; i++) node.set(`node ${i}`, i)
    late.set('gone', 1)
    late.set('gone', null)
    network.connect(late, node)
    network.sim.runUntil(() => late.machine.counters()['links'] === 1, 5_000)
    network.sim.partitionOneWay([node.sim], [late.sim], 3_000)
    network.sim.runFor(2_900)
    const [taken] = node.machine.peers.values()
    expect([taken?.kind, taken?.supports('sync-compare')]).toEqual(['ours', false])
    network.sim.runFor(1_500)
    expect(late.digest()).toBe(node.digest())
    late.sim.command({ type: 'ask-agreement', request: 1 })
    node.sim.command({ type: 'ask-agreement', request: 1 })
    network.sim.runFor(1_000)
    for (const side of [late, node]) {
      expect(side.eventsOf('agreement')).toMatchObject([{ equal: true, nodes: 2 }])
    }
    node.set('one', 1)
    node.set('two', 2)
    const idsBefore = late.machine.counters()['seenIds'] ?? 0
    network.sim.runFor(1_000)
    expect([late.get('one'), late.get('two')]).toEqual([1, 2])
    expect((late.machine.counters()['seenIds'] ?? 0) - idsBefore).toBe(1)
  },
)

test('whoever asks for agreement is answered in time, also beside a node that says nothing', () => {
  const network = new SyncNetwork({ seed: 4 })
  const [node, silent] = network.addMany(2)
  network.sim.isolate(silent!.sim)
  node!.sim.command({ type: 'ask-agreement', request: 1, timeoutMs: 200 })
  network.sim.runFor(201)
  expect(node!.eventsOf('agreement')).toMatchObject([{ request: 1, equal: false }])
})

test('what is written in one turn goes to each neighbour in one message', () => {
  const network = new SyncNetwork({ seed: 9 })
  const [a, b, c] = network.addMany(3)
  const seenBefore = b!.machine.counters()['seenIds'] ?? 0
  for (let i = 0; i < 500; i++) a!.set(`key ${i}`, i)
  for (let i = 0; i < 10; i++) a!.set(`key ${i}`, null)
  a!.delta('map', { one: 1 })
  network.sim.runFor(2_000)
  for (const node of [b!, c!]) {
    expect(node.machine.replica.size).toBe(491)
    expect(node.digest()).toBe(a!.digest())
    expect(node.eventsOf('delete')).toHaveLength(10)
  }
  expect((b!.machine.counters()['seenIds'] ?? 0) - seenBefore).toBe(1)
})

test('neighbours that read no blocks get each write as protocol 0.7 has it, and pass it on', () => {
  const network = new SyncNetwork({ seed: 11 })
  const [a, b] = network.addMany(2)
  const plain = network.add({}, { extensions: false, idEncoding: 'bytes', policy: quiet })
  const behind = network.add({}, { policy: quiet })
  network.connect(plain, b!)
  network.sim.runFor(2_000)
  network.connect(behind, plain)
  network.sim.runFor(2_000)
  expect([...behind.machine.peers.keys()]).toEqual([plain.id])
  for (let i = 0; i < 50; i++) a!.set(`key ${i}`, i)
  network.sim.runFor(1_000)
  for (let i = 0; i < 10; i++) a!.set(`key ${i}`, null)
  a!.set('map', { one: 1 })
  a!.delta('map', { two: 2.5 })
  network.sim.runFor(5_000)
  for (const node of [b!, plain, behind]) {
    expect(node.digest()).toBe(a!.digest())
    expect(node.eventsOf('conflict')).toEqual([])
  }
  expect(plain.get('map')).toEqual({ one: 1, two: 2.5 })
  expect(plain.eventsOf('delete')).toHaveLength(10)
})

test('a message that follows a write in one turn does not overtake it', () => {
  const network = new SyncNetwork({ seed: 12 })
  const [a, b] = network.addMany(2)
  a!.set('key', 1)
  a!.set('other', 2)
  a!.sim.command({ type: 'broadcast', request: 1, payload: [flags.broadcast, 'look at the key'] })
  network.sim.runFor(1_000)
  const order = b!.events.map(({ type }) => type).filter((type) => /^(update|message)$/.test(type))
  expect(order).toEqual(['update', 'update', 'message'])
})

test('two halves that wrote apart agree once they meet, and the losing write is reported', () => {
  const network = new SyncNetwork({ seed: 5 })
  const nodes = network.addMany(6)
  const [left, right] = [nodes.slice(0, 3), nodes.slice(3)]
  const sims = (part: typeof nodes): (typeof nodes)[number]['sim'][] => part.map(({ sim }) => sim)
  const cut = network.sim.partition([sims(left), sims(right)])
  left[0]!.set('key', 'left')
  network.sim.runFor(5_000)
  right[0]!.set('key', 'right')
  right[0]!.set('other', 1)
  network.sim.runFor(55_000)
  cut.heal()
  expect(network.sim.runUntil(() => network.allEqual(), 180_000)).toBe(true)
  for (const node of nodes) expect([node.get('key'), node.get('other')]).toEqual(['left', 1])
  expect(right[0]!.eventsOf('conflict')).toMatchObject([
    { lost: { value: encodeValue('right') }, won: { value: encodeValue('left') } },
  ])
})

test('a delete stays deleted when a node comes back that missed it', () => {
  const network = new SyncNetwork({ seed: 6 })
  const nodes = network.addMany(3)
  nodes[0]!.set('key', 1)
  network.sim.runFor(2_000)
  nodes[2]!.sim.crash()
  nodes[0]!.set('key', null)
  network.sim.runFor(90_000)
  nodes[2]!.sim.restart()
  expect(nodes[2]!.get('key')).toBe(1)
  network.connect(nodes[2]!, nodes[1]!)
  network.sim.runFor(10_000)
  for (const node of nodes) expect(node.get('key')).toBeUndefined()
})

test('what a node writes just after a crash stands above what it wrote just before, though its store missed that', () => {
  const network = new SyncNetwork({ seed: 8 })
  const [other] = network.addMany(2)
  const node = network.add({}, { id: encodeBase58Integer(12_345n ** 12n) })
  network.connect(node, other!)
  network.sim.runFor(3_000 - ((network.sim.utcSeconds * 1_000) % 1_000))
  node.set('key', 'before')
  network.sim.runFor(300)
  expect(other!.get('key')).toBe('before')
  node.sim.crash({ keepStore: false })
  node.sim.restart()
  node.set('key', 'after')
  network.connect(node, other!)
  network.sim.runFor(90_000)
  for (const one of network.nodes) expect(one.get('key')).toBe('after')
})

test('a write forged in the name of the holder is undone by the holder', () => {
  const network = new SyncNetwork({ seed: 7 })
  const nodes = network.addMany(4)
  nodes[0]!.set('key', 'mine')
  network.sim.runFor(2_000)
  const message = createMessage({
    type: flags.broadcast,
    sender: utf8Encode(nodes[0]!.id),
    time: Math.floor(network.sim.utcSeconds),
    payload: [flags.store, utf8Encode('key'), 'forged'],
  })
  nodes[3]!.sim.command({ type: 'spread', message })
  network.sim.runFor(90_000)
  for (const node of nodes) expect(node.get('key')).toBe('mine')
  expect(nodes[0]!.machine.counters()['forgeries']).toBe(1)
})

test('a write forged under a later one of its owner is undone as well', () => {
  const network = new SyncNetwork({ seed: 7 })
  const [owner, other] = network.addMany(2)
  network.sim.runFor(2_000)
  owner!.set('key', { mine: 1 })
  owner!.delta('key', { also: 2 })
  network.sim.runFor(1_000)
  const { holder } = other!.machine.replica.state(textToByteText('key'))
  const forged: Write = { ...holder!, kind: 'set', value: encodeValue({ forged: true }) }
  // A mesh sends nothing back to the node that is named as its sender.
  other!.machine.replica.merge(textToByteText('key'), forged, 'live', network.sim.utcSeconds)
  network.sim.runFor(90_000)
  for (const node of [owner!, other!]) expect(node.get('key')).toEqual({ mine: 1, also: 2 })
  expect(owner!.machine.counters()['forgeries']).toBe(1)
})

test('an own write that a neighbour still knows is no forgery', () => {
  const network = new SyncNetwork({ seed: 7 })
  const [owner, other] = network.addMany(2)
  network.sim.runFor(2_000)
  owner!.set('key', 1)
  network.sim.runFor(1_100)
  owner!.set('key', 2)
  network.sim.runFor(1_100)
  network.sim.partition([[owner!.sim], [other!.sim]], 30_000)
  network.sim.runFor(29_000)
  owner!.set('key', 3)
  network.sim.runFor(120_000)
  expect([owner!.get('key'), other!.get('key')]).toEqual([3, 3])
  expect(owner!.machine.counters()['forgeries']).toBe(0)
})

/** A block that names another author than the sender of its message. */
function blockInTheNameOf(id: string, time: number): Uint8Array {
  const [key, owner] = [textToByteText('key'), textToByteText(id)]
  const value = encodeValue('forged')
  const write = { kind: 'set' as const, owner, time: time + 1, sequence: 0, value, knew: [] }
  return encodeRecords([{ key, isBase: false, write }])
}

test('hostile messages change nothing and close no link', () => {
  const network = new SyncNetwork({ seed: 8 })
  const nodes = network.addMany(3)
  nodes[0]!.set('key', 'mine')
  nodes[0]!.set('__proto__', { toString: 'own' })
  network.sim.runFor(2_000)
  const before = nodes[0]!.digest()
  const time = Math.floor(network.sim.utcSeconds)
  const key = utf8Encode('key')
  const attacks = [
    [flags.store],
    [flags.store, key],
    [flags.store, 7, 'integer key'],
    [flags.store, [1], 'array key'],
    [flags.store, null, 'no key'],
    [flags.store, key, 'stolen'],
    [flags.store, key, null],
    [flags.delta, key, { a: 1 }],
    [flags.delta, key, 'no mapping'],
    [flags.store, key, 'a copy in a broadcast', utf8Encode('A'), 1],
    [0x7043],
    [0x7043, 'no block'],
    [0x7043, new Uint8Array(40).fill(0xff)],
    [0x7043, Uint8Array.of(0, 0, 3, 0x6b, 0x65, 0x79, 0xff)],
    [0x7043, blockInTheNameOf(nodes[0]!.id, time)],
  ]
  for (const payload of attacks) {
    const sender = utf8Encode('1'.repeat(44))
    nodes[2]!.sim.command({
      type: 'spread',
      message: createMessage({ type: flags.broadcast, sender, time, payload }),
    })
  }
  const whispers = [
    [flags.store, key, 'stolen', utf8Encode('1'), time - 1_000_000_000],
    [flags.store, key, 'from the future', utf8Encode('zzz'), time + 1_000_000],
    [flags.store, key, null, utf8Encode('1'), time],
    [
      0x7041,
      1,
      null,
      new Uint8Array(9),
      new Uint8Array(3),
      new Uint8Array(1),
      new Uint8Array(7),
      true,
    ],
    [0x7041, 'x'],
    [0x7042, 0, new Uint8Array(3), 1],
    [0x7042, 1, new Uint8Array(8), true, 1e9],
  ]
  const peer = nodes[0]!.id
  for (const payload of whispers) {
    for (const node of nodes.slice(1)) {
      if (!node.machine.peers.has(peer)) continue
      const message = createMessage({ type: flags.whisper, sender: node.id, time, payload })
      node.sim.command({ type: 'pass', peer, message, priority: 'own' })
    }
  }
  network.sim.runFor(5_000)
  expect(nodes[0]!.get('key')).toBe('mine')
  expect(nodes[0]!.get('__proto__')).toEqual({ toString: 'own' })
  expect(Object.prototype.toString.call({})).toBe('[object Object]')
  expect(nodes[0]!.digest()).toBe(before)
  for (const node of nodes) expect(node.eventsOf('peer-leave')).toEqual([])
})

test('everybody is asked whether all agree, and each node counts once', () => {
  const network = new SyncNetwork({ seed: 9 })
  const nodes = network.addMany(7)
  nodes[0]!.set('key', 1)
  network.sim.runFor(3_000)
  nodes[3]!.sim.command({ type: 'ask-agreement', request: 77 })
  network.sim.runFor(2_000)
  expect(nodes[3]!.eventsOf('agreement')).toEqual([
    { type: 'agreement', request: 77, equal: true, nodes: 7 },
  ])
})

test.each(seeds)('whatever fails, all nodes that are up agree in the end, seed %i', (seed) => {
  const network = new SyncNetwork({ seed })
  const nodes = network.addMany(8)
  const { random } = network.sim
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < 5; i++) {
      const node = nodes[random.below(nodes.length)]!
      const value = random.below(5) === 0 ? null : random.below(1_000)
      if (node.sim.isUp) node.set(`key ${random.below(6)}`, value)
    }
    if (random.below(4) === 0) {
      const at = 1 + random.below(7)
      const sims = nodes.map(({ sim }) => sim)
      network.sim.partition([sims.slice(0, at), sims.slice(at)], 1_000 * (1 + random.below(90)))
    }
    const victim = nodes[random.below(nodes.length)]!
    if (random.below(3) === 0) {
      if (victim.sim.isUp) victim.sim.crash({ keepStore: random.below(2) === 0 })
      else {
        victim.sim.restart()
        network.connect(victim, nodes[random.below(nodes.length)]!)
      }
    }
    network.sim.runFor(random.below(40_000))
  }
  network.sim.runFor(100_000)
  for (const node of nodes) {
    if (!node.sim.isUp) node.sim.restart()
    for (const other of [nodes[0]!, nodes[random.below(nodes.length)]!]) {
      if (other !== node) network.connect(node, other)
    }
  }
  expect(network.sim.runUntil(() => network.allEqual(), 300_000)).toBe(true)
})
