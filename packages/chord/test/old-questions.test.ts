/** What a node does for programs of protocol 0.7: stores, deltas, and questions that it passes on. */
import { describe, expect, test } from '@jest/globals'
import type { Now, Peer, PeerKind } from '@p2p/base'
import {
  decodeValue,
  encodeBase58Integer,
  encodeValue,
  utf8Encode,
  type Value,
} from '@p2p/serializer'
import type { ChordEffect } from '../src/protocol/chord-contract.ts'
import { slotsOf, type Slot } from '../src/protocol/hash-tables.ts'
import { KeyList } from '../src/protocol/key-list.ts'
import { OldQuestions } from '../src/protocol/old-questions.ts'
import { OwnReads } from '../src/protocol/own-reads.ts'
import { OwnWrites } from '../src/protocol/own-writes.ts'
import type { RequestLine } from '../src/protocol/questions.ts'
import { SlotStore, type SlotStoreLimits } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import { VersionClock } from '../src/protocol/version.ts'
import { peerOf } from './peer-of.ts'

const key = utf8Encode('key')
const [slot] = slotsOf(key) as readonly [Slot]
const at = (monoMs: number): Now => ({ monoMs, utcSeconds: 1_500_000_000 + monoMs / 1_000 })
/** The owner of the slot: no node can be nearer. */
const owner = encodeBase58Integer(slot.position)
/** Right behind it on the ring. */
const me = encodeBase58Integer(slot.position - 10n)
const kinds = new Map<unknown, string>([
  [11, 'store'],
  [12, 'retrieve'],
  [13, 'retrieved'],
  [17, 'delta'],
])
const wording = [slot.table, slot.slotText] as const

class Scene {
  readonly slots: SlotStore
  readonly nodes = new StoringNodes()
  readonly effects: ChordEffect[] = []
  readonly sent: { readonly to: string; readonly payload: readonly Value[] }[] = []
  readonly replicated: Slot[] = []
  readonly questions: OldQuestions
  readonly reads: OwnReads
  readonly writes: OwnWrites
  readonly keys = new KeyList(100)
  readonly peers = new Map<string, Peer>()
  isReachable = true

  constructor(limits: Partial<SlotStoreLimits> = {}) {
    this.slots = new SlotStore(limits)
    const shared = { id: me, slots: this.slots, clock: new VersionClock(me) }
    this.questions = new OldQuestions({
      ...shared,
      nodes: this.nodes,
      keys: this.keys,
      peers: this.peers,
      isStoring: () => true,
      tends: () => true,
      send: (to, payload) => {
        if (this.isReachable) this.sent.push({ to, payload })
        return this.isReachable
      },
      replicate: (entry) => this.replicated.push(entry),
      reads: () => this.reads,
      writes: () => this.writes,
    })
    const line: RequestLine = {
      ...shared,
      holdersOf: (one) => this.nodes.holdersOf(one.position, 1).map(({ id }) => id),
      passedOver: () => [],
      peers: new Map(),
      addressOf: () => undefined,
      isOld: (id) => id === owner,
      hasOld: () => true,
      askOld: (one, to, waiter, now) => {
        this.questions.askOf(one, to, waiter, now)
      },
      storeAtOld: (one, value, to, now) => {
        this.questions.storeAt(one, value, to, now)
      },
      ask: () => undefined,
      send: () => undefined,
      emit: (effect) => this.effects.push(effect),
    }
    this.reads = new OwnReads(line)
    this.writes = new OwnWrites(line)
    this.nodes.add(me)
    this.kind = 'py2p'
  }

  /** What program the old node is. */
  set kind(kind: PeerKind) {
    this.peers.set(owner, peerOf(owner, kind))
  }

  /** A scene in which the old node stores, so that the slot is its. */
  static withOwner(): Scene {
    const scene = new Scene()
    scene.nodes.add(owner, true)
    return scene
  }

  store(value: Value | undefined, from: string, now = at(0)): void {
    const bytes = value === undefined ? undefined : encodeValue(value)
    this.questions.handle({ type: 'store', slot, value: bytes }, from, now)
  }

  ask(from: string, now = at(0)): void {
    this.questions.handle({ type: 'retrieve', slot, wording }, from, now)
  }

  retrieved(value: Value | undefined, from: string, now = at(0)): void {
    const bytes = value === undefined ? undefined : encodeValue(value)
    this.questions.handle({ type: 'retrieved', slot, value: bytes }, from, now)
  }

  /** What was sent since the last call: to whom, which kind, and the value. */
  take(): readonly (readonly [to: string, kind: unknown, value: unknown])[] {
    return this.sent
      .splice(0)
      .map(({ to, payload: [flag, , , value] }) => [to, kinds.get(flag), value] as const)
  }

  get held(): unknown {
    const bytes = this.slots.get(slot)?.value
    return bytes === undefined ? undefined : decodeValue(bytes)
  }
}

describe('stores', () => {
  test('go to the owner, but not back to it: who sent them believes that we are nearer', () => {
    const scene = Scene.withOwner()
    scene.store('v', 'peer')
    expect([scene.take(), scene.held]).toEqual([[[owner, 'store', 'v']], undefined])
    scene.store('v', owner)
    expect([scene.take(), scene.held]).toEqual([[], 'v'])
    expect(scene.replicated).toHaveLength(1)
  })

  test('of nil go to py2p, and not to js2p, which would hang up', () => {
    const scene = Scene.withOwner()
    scene.store(undefined, 'peer')
    expect(scene.take()).toEqual([[owner, 'store', null]])
    scene.kind = 'js2p'
    scene.store(undefined, 'peer')
    expect(scene.take()).toEqual([])
  })

  test('of what is here already change nothing, nor does a nil where nothing is', () => {
    const scene = new Scene()
    scene.store(undefined, 'peer')
    expect(scene.slots.get(slot)).toBeUndefined()
    scene.store('v', 'peer')
    const { version } = scene.slots.get(slot) ?? {}
    scene.store('v', 'peer', at(5_000))
    expect(scene.slots.get(slot)?.version).toEqual(version)
    scene.store(undefined, 'peer', at(6_000))
    expect(scene.held).toBeUndefined()
    expect(scene.slots.tombstoneCount).toBe(1)
  })

  test('beyond what a node may keep are refused and counted', () => {
    const scene = new Scene({ maxValueBytes: 10 })
    scene.store('x'.repeat(20), 'peer')
    expect([scene.held, scene.questions.refusedCount]).toEqual([undefined, 1])
    expect(scene.replicated).toEqual([])
  })

  test('get their key however many of others were never announced', () => {
    const scene = new Scene()
    for (let index = 0; index < 4_096; index += 1) {
      const [lost] = slotsOf(utf8Encode(`lost ${index}`)) as readonly [Slot]
      scene.questions.handle({ type: 'store', slot: lost, value: encodeValue('v') }, 'peer', at(0))
    }
    scene.store('v', 'peer')
    scene.questions.noteKey(key, false, at(0))
    expect(scene.slots.get(slot)?.key).toEqual(key)
  })

  test('come without their key, which is named when it is announced', () => {
    const scene = new Scene()
    scene.questions.noteKey(key, false, at(0))
    scene.store('v', 'peer')
    expect(scene.slots.get(slot)?.key).toBeUndefined()
    scene.questions.noteKey(utf8Encode('another'), true, at(0))
    expect(scene.slots.get(slot)?.key).toBeUndefined()
    scene.questions.noteKey(key, false, at(0))
    expect(scene.slots.get(slot)?.key).toEqual(key)
  })

  test('of a node that stops storing are dropped where a nearer node owns what is here', () => {
    const scene = Scene.withOwner()
    const far = encodeBase58Integer(slot.position - 1_000n)
    scene.store('kept', owner)
    scene.questions.peerStopped(far, at(0))
    scene.store('stale', far, at(29_000))
    expect([scene.take(), scene.held]).toEqual([[], 'kept'])
    // A while later it is a peer like any other.
    scene.questions.peerStopped('somebody', at(31_000))
    scene.store('new', far, at(31_000))
    expect(scene.take()).toEqual([[owner, 'store', 'new']])
  })

  test('of such a node are taken where nothing is here, and where its place cannot be told', () => {
    const scene = Scene.withOwner()
    const far = encodeBase58Integer(slot.position - 1_000n)
    scene.questions.peerStopped(far, at(0))
    scene.store('v', far)
    expect(scene.take()).toEqual([[owner, 'store', 'v']])
    scene.questions.peerStopped('no id 0', at(0))
    scene.store('v', 'no id 0')
    expect(scene.take()).toEqual([[owner, 'store', 'v']])
  })
})

describe('deltas', () => {
  const delta = (scene: Scene, from: string, fields: readonly [Value, Value][]): void => {
    scene.questions.handle({ type: 'delta', slot, fields: new Map(fields) }, from, at(0))
  }

  test('go to the owner; here they are written over the mapping that is there, or none', () => {
    const scene = Scene.withOwner()
    delta(scene, 'peer', [['a', 1]])
    expect(scene.take().map(([to, kind]) => [to, kind])).toEqual([[owner, 'delta']])
    delta(scene, owner, [['a', 1]])
    delta(scene, owner, [['b', 2]])
    expect(scene.held).toEqual({ a: 1, b: 2 })
  })

  test('over a value that is no mapping are counted and dropped', () => {
    const scene = new Scene()
    scene.store('text', 'peer')
    delta(scene, 'peer', [['a', 1]])
    expect([scene.held, scene.questions.invalidCount]).toEqual(['text', 1])
  })
})

describe('questions of peers', () => {
  test('are answered from here when the slot is ours, or the owner itself asks', () => {
    const scene = new Scene()
    scene.store('v', 'peer')
    scene.ask('peer')
    scene.questions.handleDeadline(at(60))
    expect(scene.take()).toEqual([['peer', 'retrieved', 'v']])
    const other = Scene.withOwner()
    other.ask(owner)
    other.questions.handleDeadline(at(60))
    expect(other.take()).toEqual([[owner, 'retrieved', null]])
  })

  test('are answered 60 ms later: py2p takes no answer before it has noted that it asked', () => {
    const scene = new Scene()
    scene.store('v', 'peer')
    scene.ask('peer')
    expect([scene.take(), scene.questions.nextDeadline()]).toEqual([[], 60])
    scene.questions.handleDeadline(at(59))
    expect(scene.take()).toEqual([])
    scene.questions.handleDeadline(at(60))
    expect(scene.take()).toEqual([['peer', 'retrieved', 'v']])
    expect([scene.questions.size, scene.questions.nextDeadline()]).toEqual([0, Infinity])
  })

  test('share one question to the owner, and its value answers all of them', () => {
    const scene = Scene.withOwner()
    scene.ask('one')
    scene.ask('two')
    expect(scene.take().map(([to, kind]) => [to, kind])).toEqual([[owner, 'retrieve']])
    scene.retrieved('v', 'stranger')
    expect(scene.take()).toEqual([])
    scene.retrieved('v', owner)
    expect(scene.take()).toEqual([
      ['one', 'retrieved', 'v'],
      ['two', 'retrieved', 'v'],
    ])
    scene.retrieved('v', owner) // again
    expect(scene.take()).toEqual([])
  })

  test('wait a second after a nil, as an old node on the way says nil before it knows', () => {
    const scene = Scene.withOwner()
    scene.ask('peer')
    scene.take()
    scene.retrieved(undefined, owner)
    expect(scene.questions.nextDeadline()).toBe(1_000)
    scene.questions.handleDeadline(at(1_000))
    expect(scene.take()).toEqual([['peer', 'retrieved', null]])
  })

  test('are answered from here when the owner cannot be reached or is gone', () => {
    const scene = Scene.withOwner()
    scene.ask('peer')
    scene.take()
    scene.nodes.delete(owner)
    scene.store('v', 'another')
    scene.questions.peerLeft(owner, at(1))
    scene.questions.handleDeadline(at(61))
    expect(scene.take()).toEqual([['peer', 'retrieved', 'v']])
  })

  test('are answered from here when the owner, though it may live, cannot be dialled', () => {
    const scene = Scene.withOwner()
    scene.store('v', owner)
    scene.isReachable = false
    scene.ask('peer')
    scene.isReachable = true
    scene.questions.handleDeadline(at(60))
    expect(scene.take()).toEqual([['peer', 'retrieved', 'v']])
  })

  test('of 64 are kept together, one more gets a nil at once', () => {
    const scene = Scene.withOwner()
    for (let name = 0; name < 64; name += 1) scene.ask(`peer ${name}`)
    scene.take()
    scene.ask('one too many')
    expect(scene.take()).toEqual([['one too many', 'retrieved', null]])
  })
})

describe('requests of this node', () => {
  const ends = (scene: Scene): unknown[] =>
    scene.effects.map((effect) => (effect.type === 'read-ended' ? effect.result.type : effect.type))
  const fiveOwners = (): Scene => {
    const scene = Scene.withOwner()
    scene.nodes.delete(me) // all five slots are the old node's
    return scene
  }
  const answerAll = (scene: Scene, value: Value | undefined, now = at(0)): void => {
    const bytes = value === undefined ? undefined : encodeValue(value)
    for (const one of slotsOf(key)) {
      scene.questions.handle({ type: 'retrieved', slot: one, value: bytes }, owner, now)
    }
  }

  test('read what the old owner says, or that it says nothing', () => {
    const scene = fiveOwners()
    scene.reads.begin({ type: 'read', request: 1, key, timeoutMs: 20_000 }, at(0))
    answerAll(scene, 'v')
    expect(ends(scene)).toEqual(['found'])
    const silent = fiveOwners()
    silent.reads.begin({ type: 'read', request: 1, key, timeoutMs: 20_000 }, at(0))
    silent.questions.handleDeadline(at(8_000))
    expect(ends(silent)).toEqual(['unknown'])
    const gone = fiveOwners()
    gone.reads.begin({ type: 'read', request: 1, key, timeoutMs: 20_000 }, at(0))
    gone.questions.peerLeft(owner, at(1))
    expect(ends(gone)).toEqual(['unknown'])
  })

  test('write, and are sure when the owner answers with that value and not with another', () => {
    const scene = fiveOwners()
    const input = {
      type: 'write',
      request: 1,
      key,
      value: encodeValue('new'),
      timeoutMs: 20_000,
    } as const
    scene.writes.begin(input, at(0))
    answerAll(scene, 'old')
    answerAll(scene, undefined)
    expect(ends(scene)).toEqual([])
    answerAll(scene, 'new')
    expect(ends(scene)).toEqual(['written'])
  })

  test('write to nobody when the owner is gone', () => {
    const scene = fiveOwners()
    const input = {
      type: 'write',
      request: 1,
      key,
      value: encodeValue('new'),
      timeoutMs: 20_000,
    } as const
    scene.writes.begin(input, at(0))
    scene.nodes.delete(owner)
    scene.questions.peerLeft(owner, at(1))
    expect(ends(scene)).toEqual(['write-failed'])
  })

  test('delete where there is a value, and are done where there is none', () => {
    for (const value of ['v', undefined]) {
      const scene = fiveOwners()
      const input = { type: 'write', request: 1, key, value: null, timeoutMs: 20_000 } as const
      scene.writes.begin(input, at(0))
      scene.take()
      answerAll(scene, value)
      expect(ends(scene)).toEqual(['written'])
      expect(scene.take()).toEqual(value === undefined ? [] : Array(5).fill([owner, 'store', null]))
    }
  })

  test('delete what one table takes long to tell of, others having told before', () => {
    const scene = fiveOwners()
    const input = { type: 'write', request: 1, key, value: null, timeoutMs: 20_000 } as const
    scene.writes.begin(input, at(0))
    const nothingAt = (one: Slot | undefined, now: Now): void => {
      if (one === undefined) throw new Error('no such table')
      scene.questions.handle({ type: 'retrieved', slot: one, value: undefined }, owner, now)
    }
    const [first, second, third] = slotsOf(key)
    nothingAt(first, at(0))
    nothingAt(second, at(0))
    scene.questions.handleDeadline(at(1_000))
    nothingAt(third, at(1_500))
    expect(ends(scene)).toEqual(['written'])
  })

  test('fail where too many questions wait: nothing is known of the slot', () => {
    for (const type of ['read', 'write'] as const) {
      const scene = fiveOwners()
      for (const one of slotsOf(key)) {
        const question = { type: 'retrieve', slot: one, wording } as const
        for (let asker = 0; asker < 64; asker += 1)
          scene.questions.handle(question, `peer ${asker}`, at(0))
      }
      const input = { request: 1, key, timeoutMs: 20_000 } as const
      if (type === 'read') scene.reads.begin({ type, ...input }, at(0))
      else scene.writes.begin({ type, ...input, value: null }, at(0))
      expect(ends(scene)).toEqual([type === 'read' ? 'unknown' : 'write-failed'])
    }
  })

  test('that cannot be sent end at once', () => {
    const scene = fiveOwners()
    scene.isReachable = false
    scene.reads.begin({ type: 'read', request: 1, key, timeoutMs: 20_000 }, at(0))
    expect(ends(scene)).toEqual(['unknown'])
  })
})
