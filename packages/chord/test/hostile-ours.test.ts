/** What a neighbour of our own kind that means harm can say in the words of our own nodes. */
import { expect, test } from '@jest/globals'
import { defaultLimits } from '@p2p/base'
import { SeededRandom } from '@p2p/base/sim'
import {
  createMessage,
  encodeBase58Integer,
  encodeFrame,
  encodeValue,
  flags,
  networkId,
  utf8Encode,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { ChordMachine } from '../src/protocol/chord.ts'
import type {
  ChordEffect,
  ChordInput,
  ChordMachineOptions,
} from '../src/protocol/chord-contract.ts'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import {
  copyPayload,
  listPayload,
  readPayload,
  writePayload,
} from '../src/protocol/table-messages.ts'
import { membersPayload, sumsPayload } from '../src/protocol/ring-messages.ts'

const utcSeconds = 1_500_000_000
const key = utf8Encode('key')
const value = encodeValue('v')
const allTables = [0, 1, 2, 3, 4]
const wholeRing = { from: 0n, to: 0n }

/** A storing node and one neighbour that speaks as ours do. */
class Scene {
  readonly peer = encodeBase58Integer(1n << 380n)
  readonly machine: ChordMachine
  readonly effects: ChordEffect[] = []
  now = { monoMs: 1, utcSeconds }

  constructor(options: Partial<ChordMachineOptions> = {}, { joins = true } = {}) {
    const random = new SeededRandom(1)
    this.machine = new ChordMachine({
      id: encodeBase58Integer(1n << 381n),
      subnet: 'chord',
      limits: defaultLimits,
      randomBytes: (count) => random.bytes(count),
      ...options,
    })
    if (joins) this.give({ type: 'join' })
    const remote = 'tcp://127.0.0.1:50000'
    this.give({ type: 'link-open', link: 0, transport: 'tcp', remote, dial: undefined })
    const protocol = networkId({ subnet: 'chord', encryption: 'Plaintext' })
    this.hear([flags.handshake, this.peer, protocol, ['127.0.0.1', 1], [0x7032_0001]])
    const features = ['chord-replicas']
    const nonce = new Uint8Array(8)
    this.hear([0x7032, { version: 1, features, nonce, addresses: [], maxFrameBytes: 2 ** 24 }])
    expect(this.machine.peers.get(this.peer)?.supports('chord-replicas')).toBe(true)
    this.effects.length = 0
  }

  give(input: ChordInput): void {
    this.effects.push(...this.machine.handle(input, this.now))
  }

  hear(payload: readonly Value[]): void {
    const message = createMessage({
      type: flags.whisper,
      sender: this.peer,
      time: utcSeconds,
      payload,
    })
    this.give({ type: 'link-bytes', link: 0, bytes: encodeFrame(message) })
  }

  write(of: Uint8Array, what: Uint8Array | undefined, time = utcSeconds * 1_000): void {
    this.hear(
      writePayload(1, { key: of, version: { time, writer: 'w' }, value: what, tables: allTables }),
    )
  }

  sentBytes(): number {
    let count = 0
    for (const effect of this.effects) if (effect.type === 'send') count += effect.bytes.length
    return count
  }

  counters(): Readonly<Record<string, number>> {
    return this.machine.counters()
  }
}

test('malformed words of ours cost nobody a link, store nothing, and are counted', () => {
  const scene = new Scene()
  const random = new SeededRandom(7)
  const odd: readonly Value[] = [
    null,
    true,
    -1,
    0,
    1.5,
    2 ** 53,
    '',
    'sha1',
    '__proto__',
    new Uint8Array(0),
    new Uint8Array(48),
    new Uint8Array([0xc1]),
    [],
    [[]],
    [[0, '2', -1, 'w', null, null]],
    [[9, '2', 1, 'w']],
    [[0, '0OIl', 1, 'w']],
    { a: 1 },
  ]
  for (const flag of [0x7060, 0x7061]) {
    for (let count = 0; count < 2_000; count += 1) {
      const items = Array.from({ length: random.below(7) }, () => random.pick(odd))
      scene.hear([flag, random.below(11) - 1, ...items])
    }
  }
  expect(scene.machine.peers.size).toBe(1)
  expect(scene.machine.slots.size).toBe(0)
  expect(scene.machine.storingNodes.size).toBe(1)
  expect(scene.counters()['invalidMessages']).toBeGreaterThan(1_000)
})

test('a value that is no msgpack, a nil in its place and a version from the future are not stored', () => {
  const scene = new Scene()
  scene.write(key, new Uint8Array([0xc1]))
  scene.write(key, encodeValue(null))
  scene.write(key, value, utcSeconds * 1_000 + 61_000)
  expect(scene.machine.slots.size).toBe(0)
  scene.write(key, value, utcSeconds * 1_000 + 60_000)
  expect(scene.machine.slots.size).toBe(5)
})

test('a flood of huge values and keys fills what a node may keep, and no more', () => {
  const maxValueBytes = 1_000_000
  const scene = new Scene({ slotLimits: { maxValueBytes } })
  const huge = encodeValue(new Uint8Array(90_000))
  for (let name = 0; name < 10; name += 1) scene.write(utf8Encode(`key ${name}`), huge)
  const longKey = new Uint8Array(150_000)
  for (let name = 0; name < 10; name += 1) scene.write(longKey.slice(name), value)
  expect(scene.counters()['valueBytes']).toBeLessThanOrEqual(maxValueBytes)
  expect(scene.counters()['refusedStores']).toBeGreaterThan(50)
  expect(scene.machine.peers.size).toBe(1)
})

test('copies are taken as writes are, and listed, but not answered', () => {
  const scene = new Scene()
  const copy = { key, version: { time: 1, writer: 'w' }, value, tables: allTables }
  scene.hear(copyPayload([copy]))
  expect(scene.counters()).toMatchObject({ slots: 5, keys: 1 })
  expect(scene.effects.filter(({ type }) => type === 'send')).toEqual([])
})

test('a small value does not keep the whole message it came in', () => {
  const scene = new Scene()
  scene.hear([
    ...writePayload(1, { key, version: { time: 1, writer: 'w' }, value, tables: allTables }),
    new Uint8Array(100_000),
  ])
  for (const slot of slotsOf(key)) {
    const held = scene.machine.slots.get(slot)
    expect(held?.value?.buffer.byteLength).toBe(value.length)
    expect(held?.key?.buffer.byteLength).toBe(key.length)
  }
})

test('answers that nobody asked for change nothing, and a second answer to one question does not count', () => {
  const scene = new Scene()
  const version = [utcSeconds * 1_000, 'w']
  for (let request = 0; request < 100; request += 1) {
    scene.hear([0x7061, 3, request, [[...version, value]], [0, 0, 0, 0, 0]])
    scene.hear([0x7061, 1, request, allTables])
    scene.hear([0x7061, 6, request, slotsOf(key).map(({ digits }, table) => [table, digits])])
  }
  expect(scene.counters()).toMatchObject({ slots: 0, openReads: 0, openWrites: 0 })
  expect(scene.effects.filter(({ type }) => type === 'read-ended' || type === 'written')).toEqual(
    [],
  )
})

test('nobody is thrown off the ring by a record from the far future', () => {
  const scene = new Scene()
  const record = { id: scene.machine.id, state: 'gone', isOld: false, addresses: [] } as const
  scene.hear(membersPayload([{ ...record, incarnation: Number.MAX_SAFE_INTEGER }]))
  expect(scene.machine.isStoring).toBe(true)
  // One that could be true is answered with a greater incarnation.
  scene.hear(membersPayload([{ ...record, incarnation: utcSeconds * 1_000 + 5 }]))
  expect(scene.machine.isStoring).toBe(true)
  const unreadable = { ...record, id: 'x'.repeat(301), incarnation: 1 }
  scene.hear(membersPayload([unreadable]))
  expect(scene.counters()['ringRecords']).toBe(1)
})

/** More records than a view takes. */
function hearManyMembers(scene: Scene): void {
  for (let portion = 0; portion < 110; portion += 1) {
    scene.hear(
      membersPayload(
        Array.from({ length: 512 }, (_, index) => ({
          id: encodeBase58Integer(BigInt(1 + portion * 512 + index)),
          incarnation: utcSeconds * 1_000,
          state: 'left',
          isOld: false,
          addresses: [],
        })),
      ),
    )
  }
}

test('a flood of members fills the view of the ring and stops there', () => {
  const scene = new Scene()
  hearManyMembers(scene)
  expect(scene.counters()['ringRecords']).toBe(50_000)
  expect(scene.machine.isStoring).toBe(true)
})

test('a node whose view of the ring is full of others joins all the same', () => {
  const scene = new Scene({}, { joins: false })
  hearManyMembers(scene)
  scene.give({ type: 'join' })
  expect(scene.counters()['ringRecords']).toBe(50_001)
  expect(scene.machine.isStoring).toBe(true)
})

test.each([
  ['comparisons of the ring', 1_200, sumsPayload('digest', false, new Array<number>(256).fill(1))],
  ['lists', 150, listPayload(wholeRing, [])],
])('a flood of %s is answered up to the account of the neighbour', (_, count, payload) => {
  const scene = new Scene()
  for (let name = 0; name < 500; name += 1) scene.write(utf8Encode(`key ${name}`), value)
  scene.effects.length = 0
  for (let asked = 0; asked < count; asked += 1) scene.hear(payload)
  const refused = scene.counters()['refusedComparisons'] ?? 0
  expect(refused).toBeGreaterThan(20)
  expect(scene.machine.peers.size).toBe(1)
  scene.now = { monoMs: 10_001, utcSeconds: utcSeconds + 10 }
  scene.hear(payload)
  expect(scene.counters()).toMatchObject({ refusedComparisons: refused })
})

test('a flood of reads for what is not there is answered in little, and leaves nothing behind', () => {
  const scene = new Scene()
  for (let request = 0; request < 1_000; request += 1) {
    scene.hear(readPayload(request, utf8Encode(`key ${request}`), allTables))
  }
  expect(scene.sentBytes()).toBeLessThan(1_000 * 200)
  const counters = scene.counters()
  expect([counters['openReads'], counters['openRequests'], counters['slots']]).toEqual([0, 0, 0])
})
