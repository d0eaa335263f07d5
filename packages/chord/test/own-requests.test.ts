/** Reads and writes of one node: whom they ask, and how answers that fail, lie or never come end. */
import { describe, expect, test } from '@jest/globals'
import type { Now, Peer } from '@p2p/base'
import { encodeValue, utf8Encode } from '@p2p/serializer'
import type { ChordEffect } from '../src/protocol/chord-contract.ts'
import { slotsOf, type Slot } from '../src/protocol/hash-tables.ts'
import type { Waiter } from '../src/protocol/open-questions.ts'
import { OwnReads } from '../src/protocol/own-reads.ts'
import { OwnWrites } from '../src/protocol/own-writes.ts'
import { SlotStore, type SlotStoreLimits } from '../src/protocol/slot-store.ts'
import { readTableMessage, type TableMessage } from '../src/protocol/table-messages.ts'
import type { ReadRequest, TableRequest, WriteRequest } from '../src/protocol/table-requests.ts'
import { VersionClock, type Version } from '../src/protocol/version.ts'
import type { RequestLine } from '../src/protocol/questions.ts'
import { peerOf } from './peer-of.ts'

const key = utf8Encode('key')
const slots = slotsOf(key)
const value = encodeValue('v')
const utcSeconds = 1_500_000_000
const at = (monoMs: number): Now => ({ monoMs, utcSeconds })
const allTables = [0, 1, 2, 3, 4]

/** A node among others that the test plays; every slot has the same holders. */
class Scene {
  readonly slots: SlotStore
  readonly reads: OwnReads
  readonly writes: OwnWrites
  readonly effects: ChordEffect[] = []
  readonly asked: { readonly to: string; readonly about: TableRequest }[] = []
  readonly askedOld: { readonly to: string; readonly waiter: Waiter }[] = []
  /** Slots given to others without being asked for: to old nodes, and to ours. */
  readonly storedAtOld: string[] = []
  readonly sent: { readonly to: string; readonly message: TableMessage | undefined }[] = []
  holders: readonly string[]
  passedOver: readonly string[] = []
  readonly peers = new Map<string, Peer>()

  constructor(
    options: {
      readonly holders?: readonly string[]
      readonly old?: readonly string[]
      readonly undialable?: readonly string[]
      readonly limits?: Partial<SlotStoreLimits>
    } = {},
  ) {
    const { holders = [], old = [], undialable = [], limits = {} } = options
    this.holders = holders
    this.slots = new SlotStore(limits)
    const line: RequestLine = {
      id: 'me',
      slots: this.slots,
      clock: new VersionClock('me'),
      holdersOf: () => this.holders,
      passedOver: () => this.passedOver,
      peers: this.peers,
      addressOf: (id) => (undialable.includes(id) ? undefined : `tcp://${id}`),
      isOld: (id) => old.includes(id),
      hasOld: () => old.length > 0,
      askOld: (_slot, to, waiter) => this.askedOld.push({ to, waiter }),
      storeAtOld: (_slot, _value, to) => this.storedAtOld.push(to),
      ask: (to, about) => this.asked.push({ to, about }),
      send: (to, payload) => this.sent.push({ to, message: readTableMessage(payload) }),
      emit: (effect) => this.effects.push(effect),
    }
    this.reads = new OwnReads(line)
    this.writes = new OwnWrites(line)
  }

  set neighbour(id: string) {
    this.peers.set(id, peerOf(id))
  }

  write(what: string | null = 'v', monoMs = 0): void {
    const value = what === null ? null : encodeValue(what)
    const input = { type: 'write', request: 1, key, value, timeoutMs: 10_000 } as const
    this.writes.begin(input, at(monoMs))
  }

  read(): void {
    this.reads.begin({ type: 'read', request: 1, key, timeoutMs: 10_000 }, at(0))
  }

  /** The latest question to this node. */
  askedToWrite(to: string): WriteRequest {
    const { about } = this.asked.findLast((one) => one.to === to) ?? {}
    if (about?.type !== 'write') throw new Error(`${to} was not asked to write`)
    return about
  }

  askedToRead(to: string): ReadRequest {
    const { about } = this.asked.findLast((one) => one.to === to) ?? {}
    if (about?.type !== 'read') throw new Error(`${to} was not asked to read`)
    return about
  }

  get askedNodes(): readonly string[] {
    return this.asked.map(({ to }) => to)
  }

  get ends(): readonly string[] {
    return this.effects.map((effect) =>
      effect.type === 'read-ended' ? effect.result.type : effect.type,
    )
  }
}

const foundAt = (version: Version, tables: readonly number[], what: Uint8Array = value) =>
  allTables.map((table) => (tables.includes(table) ? { version, value: what } : undefined))
const version: Version = { time: utcSeconds * 1_000, writer: 'w' }

describe('a write', () => {
  const later = version.time + 1

  test('that a later one of this node has overtaken is not made again above it', () => {
    const scene = new Scene({ holders: ['a', 'b', 'c'] })
    scene.write('first')
    const first = ['a', 'b', 'c'].map((to) => [to, scene.askedToWrite(to)] as const)
    const input = {
      type: 'write',
      request: 2,
      key,
      value: encodeValue('second'),
      timeoutMs: 10_000,
    } as const
    scene.writes.begin(input, at(1))
    const asked = scene.asked.length
    for (const [from, about] of first)
      scene.writes.handleStored(about, from, allTables, at(2), later)
    expect([scene.ends, scene.asked.length]).toEqual([['written'], asked])
  })

  test('that its owner took as the newest is not made again above what somebody wrote then', () => {
    const scene = new Scene({ holders: ['a', 'b', 'c'] })
    scene.write()
    const about = ['a', 'b', 'c'].map((to) => [to, scene.askedToWrite(to)] as const)
    for (const [from, question] of about)
      scene.writes.handleStored(
        question,
        from,
        allTables,
        at(1),
        from === 'a' ? version.time : later,
      )
    expect([scene.ends, scene.asked.length]).toEqual([['written'], 3])
  })

  test('is told to a neighbour that answered late and is passed over', () => {
    const scene = new Scene({ holders: ['a', 'b', 'c'] })
    scene.passedOver = ['late']
    scene.neighbour = 'late'
    scene.write()
    scene.writes.handleDeadline(at(0))
    expect(scene.sent).toMatchObject([
      { to: 'late', message: { type: 'copy', copies: [{ key, tables: allTables }] } },
    ])
  })

  test('that all but one cannot be asked is not done by the word of one', () => {
    const scene = new Scene({ holders: ['bridge'] })
    scene.passedOver = ['a', 'b']
    scene.neighbour = 'bridge'
    scene.write()
    scene.writes.handleStored(scene.askedToWrite('bridge'), 'bridge', allTables, at(1))
    expect(scene.ends).toEqual([])
  })

  test('of a node that cannot dial the others, as in a browser, is done by that of its neighbour, who hands it on', () => {
    const scene = new Scene({ holders: ['bridge'], undialable: ['a', 'b'] })
    scene.passedOver = ['a', 'b']
    scene.neighbour = 'bridge'
    scene.write()
    scene.writes.handleDeadline(at(0))
    expect(scene.sent).toMatchObject([
      { to: 'bridge', message: { type: 'copy', copies: [{ to: 'a' }, { to: 'b' }] } },
    ])
    scene.writes.handleStored(scene.askedToWrite('bridge'), 'bridge', allTables, at(1))
    expect(scene.ends).toEqual(['written'])
  })

  test('is told to a holder out of reach by two others that may have a link to it', () => {
    const scene = new Scene({ holders: ['out of reach', 'a', 'b', 'c'] })
    for (const id of ['a', 'b', 'c']) scene.neighbour = id
    scene.write()
    scene.writes.handleDeadline(at(0))
    scene.sent.length = 0
    const question = scene.askedToWrite('out of reach')
    scene.holders = ['a', 'b', 'c']
    scene.writes.handleUnanswered(question, 'out of reach', at(0))
    scene.writes.handleDeadline(at(0))
    const copies = [{ key, tables: allTables, to: 'out of reach' }]
    expect(scene.sent).toMatchObject(
      ['a', 'b'].map((to) => ({ to, message: { type: 'copy', copies } })),
    )
  })

  test('that is made again has no more time than it had', () => {
    const scene = new Scene({ holders: ['a', 'b', 'c'] })
    scene.write()
    scene.writes.handleStored(scene.askedToWrite('a'), 'a', allTables, at(9_900), later)
    expect(scene.asked).toHaveLength(6)
    expect(scene.writes.nextDeadline()).toBe(10_000)
    scene.writes.handleDeadline(at(10_000))
    expect(scene.ends).toEqual(['write-failed'])
  })

  test('that nobody stores stays here, and fails', () => {
    const scene = new Scene()
    scene.write()
    expect(scene.ends).toEqual(['write-failed'])
    expect(scene.slots.size).toBe(5)
    expect(scene.writes.size).toBe(0)
  })

  test('replaces what was written here when the clock was far ahead', () => {
    const scene = new Scene({ holders: ['me'] })
    const ahead = { time: (utcSeconds + 3_600) * 1_000, writer: 'me' }
    for (const slot of slots) scene.slots.put(slot, { value: encodeValue('old'), version: ahead })
    scene.write()
    expect(scene.ends).toEqual(['written'])
    expect(slots.map((slot) => scene.slots.get(slot)?.value)).toEqual(slots.map(() => value))
  })

  test('that comes after a newer one, because the clock is behind, is made again with a version above that', () => {
    const scene = new Scene({ holders: ['me', 'x'] })
    scene.write()
    const stands = utcSeconds * 1_000 + 30_000
    const first = scene.askedToWrite('x')
    scene.writes.handleStored(first, 'x', allTables, at(1), stands)
    expect([scene.ends, scene.askedNodes]).toEqual([[], ['x', 'x']])
    const second = scene.askedToWrite('x')
    expect(scene.slots.get(slots[0] as Slot)?.version.time).toBe(stands + 1)
    // What comes late of the first one says nothing of the second.
    scene.writes.handleStored(first, 'x', allTables, at(2))
    scene.writes.handleUnanswered(first, 'x', at(2))
    expect(scene.ends).toEqual([])
    scene.writes.handleStored(second, 'x', allTables, at(3))
    expect(scene.ends).toEqual(['written'])
  })

  test('that others overtake again and again is done: they write at the same time', () => {
    const scene = new Scene({ holders: ['x'] })
    scene.write()
    for (let turn = 1; scene.ends.length === 0 && turn < 10; turn += 1) {
      const stands = utcSeconds * 1_000 + turn * 1_000
      scene.writes.handleStored(scene.askedToWrite('x'), 'x', allTables, at(turn), stands)
    }
    expect([scene.ends, scene.askedNodes.length]).toEqual([['written'], 4])
  })

  test('is refused by a holder where a newer one stands from far ahead of the clock', () => {
    const scene = new Scene({ holders: ['me', 'x'] })
    scene.write()
    const stands = utcSeconds * 1_000 + 60_001
    scene.writes.handleStored(scene.askedToWrite('x'), 'x', allTables, at(1), stands)
    expect(scene.ends).toEqual(['write-failed'])
  })

  test('is done when three of five tables confirm, in one question to each node', () => {
    const scene = new Scene({ holders: ['x'] })
    scene.write()
    expect(scene.askedNodes).toEqual(['x'])
    scene.writes.handleStored(scene.askedToWrite('x'), 'x', [0, 2, 4], at(1))
    expect(scene.ends).toEqual(['written'])
    scene.writes.handleStored(scene.askedToWrite('x'), 'x', [1], at(1))
    expect(scene.ends).toEqual(['written'])
  })

  test('goes to the next holder when one does not answer, and again to all until none is left', () => {
    const scene = new Scene({ holders: ['x'] })
    scene.write()
    scene.holders = ['y']
    scene.writes.handleUnanswered(scene.askedToWrite('x'), 'x', at(1))
    expect(scene.askedNodes).toContain('y')
    expect(scene.ends).toEqual([])
    scene.holders = []
    for (const { to, about } of scene.asked)
      if (to === 'y' && about.type === 'write') scene.writes.handleUnanswered(about, 'y', at(2))
    scene.holders = ['z']
    expect(scene.writes.nextDeadline()).toBe(502)
    scene.writes.handleDeadline(at(502))
    scene.holders = []
    scene.writes.handleUnanswered(scene.askedToWrite('z'), 'z', at(503))
    expect(scene.ends).toEqual([])
    scene.writes.handleDeadline(at(1_003))
    expect(scene.ends).toEqual(['write-failed'])
  })

  test('asks each holder once: one that refused is not asked again when the next one does as well', () => {
    const scene = new Scene({ holders: ['x', 'y'] })
    scene.write()
    for (let turn = 0; turn < 3; turn += 1) {
      for (const to of ['x', 'y']) {
        if (scene.ends.length === 0)
          scene.writes.handleStored(scene.askedToWrite(to), to, [], at(1))
      }
    }
    expect(scene.askedNodes).toEqual(['x', 'y'])
    expect(scene.ends).toEqual(['write-failed'])
  })

  test('fails when its time is over', () => {
    const scene = new Scene({ holders: ['x'] })
    scene.write()
    expect(scene.writes.nextDeadline()).toBe(10_000)
    scene.writes.handleDeadline(at(9_999))
    expect(scene.ends).toEqual([])
    scene.writes.handleDeadline(at(10_000))
    expect(scene.ends).toEqual(['write-failed'])
    expect(scene.writes.nextDeadline()).toBe(Infinity)
  })

  test('that this node has no room for is not confirmed by it', () => {
    const scene = new Scene({ holders: ['me'], limits: { maxSlots: 2 } })
    scene.write()
    expect(scene.ends).toEqual(['write-failed'])
    expect(scene.slots.size).toBe(2)
  })

  test('is sent to an old owner, and asked back; a delete is asked for first', () => {
    const scene = new Scene({ holders: ['old'], old: ['old'] })
    scene.write()
    expect(scene.storedAtOld).toHaveLength(5)
    expect(scene.askedOld.map(({ waiter }) => waiter.type)).toEqual(Array(5).fill('write'))
    for (const slot of slots.slice(0, 3)) scene.writes.confirm(1, slot, 'old', at(1))
    expect(scene.ends).toEqual(['written'])
    const deleting = new Scene({ holders: ['old'], old: ['old'] })
    deleting.write(null)
    expect(deleting.storedAtOld).toEqual([])
    expect(deleting.askedOld.map(({ waiter }) => waiter.type)).toEqual(Array(5).fill('delete'))
  })

  describe('with more holders than it needs', () => {
    const holders = ['me', 'a', 'b', 'c', 'd']
    const copiesOf = ({ sent }: Scene): readonly unknown[] =>
      sent.map(({ to, message }) => [
        to,
        message?.type === 'copy' ? message.copies.map((copy) => copy.value) : message?.type,
      ])

    test('waits for two others, its neighbours first; the rest is told of what one turn brings', () => {
      const scene = new Scene({ holders })
      scene.neighbour = 'b'
      scene.neighbour = 'd'
      scene.write()
      expect([scene.askedNodes, scene.writes.nextDeadline()]).toEqual([['b', 'd'], 0])
      scene.writes.handleDeadline(at(0))
      expect(copiesOf(scene)).toEqual([
        ['a', [value]],
        ['c', [value]],
      ])
      for (const to of ['b', 'd'])
        scene.writes.handleStored(scene.askedToWrite(to), to, allTables, at(1))
      expect(scene.ends).toEqual(['written'])
      scene.write('w', 2)
      scene.write('x', 2)
      expect(scene.writes.nextDeadline()).toBe(2)
      scene.writes.handleDeadline(at(2))
      expect(copiesOf(scene).slice(2)).toEqual([
        ['a', [encodeValue('w'), encodeValue('x')]],
        ['c', [encodeValue('w'), encodeValue('x')]],
      ])
      expect(scene.askedNodes).toEqual(['b', 'd', 'b', 'd', 'b', 'd'])
    })

    test('asks the rest as well when one cannot do it, or is late', () => {
      const scene = new Scene({ holders })
      scene.write()
      scene.writes.handleUnanswered(scene.askedToWrite('a'), 'a', at(1))
      expect(scene.askedNodes).toEqual(['a', 'b', 'c', 'd'])
      for (const to of ['b', 'd'])
        scene.writes.handleStored(scene.askedToWrite(to), to, allTables, at(2))
      expect(scene.ends).toEqual(['written'])
      const late = new Scene({ holders })
      late.write()
      late.writes.handleStored(late.askedToWrite('a'), 'a', allTables, at(1))
      late.writes.handleDeadline(at(99))
      expect(late.askedNodes).toEqual(['a', 'b'])
      late.writes.handleDeadline(at(100))
      expect(late.askedNodes).toEqual(['a', 'b', 'c', 'd'])
      late.writes.handleStored(late.askedToWrite('c'), 'c', allTables, at(101))
      expect(late.ends).toEqual(['written'])
    })

    test('is patient for twice as long as writes take', () => {
      const scene = new Scene({ holders })
      for (let turn = 0; turn < 100; turn += 1) {
        scene.write()
        for (const to of ['a', 'b'])
          scene.writes.handleStored(scene.askedToWrite(to), to, allTables, at(20))
      }
      scene.write()
      scene.writes.handleDeadline(at(0))
      expect(scene.writes.nextDeadline()).toBeCloseTo(40, 0)
    })

    test('asks all at once where old nodes store', () => {
      const scene = new Scene({ holders, old: ['d'] })
      scene.write()
      expect([scene.askedNodes, scene.storedAtOld.length]).toEqual([['a', 'b', 'c'], 5])
      scene.writes.handleDeadline(at(1))
      expect(scene.sent).toEqual([])
    })
  })

  test('that was given up is not answered, whatever comes', () => {
    const scene = new Scene({ holders: ['x'] })
    scene.write()
    scene.writes.cancel(1)
    const [slot] = slots as readonly [Slot]
    scene.writes.handleStored(scene.askedToWrite('x'), 'x', allTables, at(1))
    scene.writes.handleUnanswered(scene.askedToWrite('x'), 'x', at(1))
    scene.writes.confirm(1, slot, 'x', at(1))
    scene.writes.handleDeadline(at(20_000))
    expect(scene.effects).toEqual([])
  })
})

describe('a read', () => {
  test('asks some neighbour when nobody is known to store, and itself when there is none', () => {
    const scene = new Scene()
    scene.neighbour = 'n'
    scene.read()
    expect(scene.askedNodes).toEqual(['n'])
    const alone = new Scene()
    alone.read()
    expect([alone.askedNodes, alone.ends]).toEqual([[], ['absent']])
  })

  test('finds what this node keeps although nobody is known to store', () => {
    const scene = new Scene()
    scene.neighbour = 'n'
    scene.write()
    scene.read()
    expect([scene.askedNodes, scene.ends]).toEqual([[], ['write-failed', 'found']])
  })

  test('does not believe a version from the far future, and asks the next holder', () => {
    const scene = new Scene({ holders: ['x', 'y'] })
    scene.read()
    const future = { time: (utcSeconds + 3_600) * 1_000, writer: 'w' }
    scene.reads.handleFound(scene.askedToRead('x'), 'x', foundAt(future, allTables), at(1))
    expect(scene.ends).toEqual([])
    expect(scene.askedNodes).toContain('y')
    scene.reads.handleFound(
      { type: 'read', request: 1, slots },
      'y',
      foundAt(version, allTables),
      at(2),
    )
    expect(scene.ends).toEqual(['found'])
  })

  test('that nobody answers ends unknown, by failing or when its time is over', () => {
    const scene = new Scene({ holders: ['x'] })
    scene.read()
    scene.reads.handleUnanswered(scene.askedToRead('x'), 'x', at(1))
    expect(scene.ends).toEqual(['unknown'])
    const late = new Scene({ holders: ['x'] })
    late.read()
    expect(late.reads.nextDeadline()).toBe(10_000)
    late.reads.handleDeadline(at(9_999))
    late.reads.handleDeadline(at(10_000))
    expect(late.ends).toEqual(['unknown'])
    expect(late.reads.size).toBe(0)
  })

  test('writes again what tables lack: here, at nodes of ours, and at old ones', () => {
    for (const [owner, old] of [
      ['me', []],
      ['x', []],
      ['old', ['old']],
    ] as const) {
      const scene = new Scene({ holders: ['y'], old })
      scene.read()
      scene.holders = [owner]
      const found = foundAt(version, [0, 1, 2])
      // The last table first, so that it is known to hold nothing when three agree.
      const about = { type: 'read', request: 1, slots: slots.toReversed() } as const
      scene.reads.handleFound(about, 'y', found.toReversed(), at(1))
      expect(scene.ends).toEqual(['found'])
      expect(scene.slots.size).toBe(owner === 'me' ? 2 : 0)
      expect(scene.storedAtOld).toHaveLength(owner === 'old' ? 2 : 0)
      expect(scene.sent.map(({ to, message }) => [to, message?.type])).toEqual(
        owner === 'x'
          ? [
              ['x', 'put'],
              ['x', 'put'],
            ]
          : [],
      )
    }
  })

  test('gives nobody back what only old nodes hold, but old nodes', () => {
    const scene = new Scene({ holders: ['old'], old: ['old'] })
    scene.read()
    expect(scene.askedOld).toHaveLength(5)
    for (const [index, slot] of slots.toReversed().entries()) {
      const answer = { value: index < 2 ? undefined : value }
      scene.reads.handleAnswer(1, slot, 'old', answer, at(1))
    }
    expect(scene.ends).toEqual(['found'])
    expect(scene.storedAtOld).toEqual(['old', 'old'])
    expect([scene.sent, scene.slots.size]).toEqual([[], 0])
  })

  test('repairs nothing where nobody stores any more', () => {
    const scene = new Scene({ holders: ['y'] })
    scene.read()
    scene.holders = []
    const about = { type: 'read', request: 1, slots: slots.toReversed() } as const
    scene.reads.handleFound(about, 'y', foundAt(version, [0, 1, 2]).toReversed(), at(1))
    expect(scene.ends).toEqual(['found'])
    expect([scene.sent, scene.storedAtOld, scene.slots.size]).toEqual([[], [], 0])
  })

  test('that was given up is not answered, whatever comes', () => {
    const scene = new Scene({ holders: ['x', 'y'] })
    scene.read()
    scene.reads.cancel(1)
    scene.reads.handleFound(scene.askedToRead('x'), 'x', foundAt(version, allTables), at(1))
    scene.reads.handleUnanswered(scene.askedToRead('x'), 'x', at(1))
    expect([scene.effects, scene.askedNodes]).toEqual([[], ['x']])
  })
})
