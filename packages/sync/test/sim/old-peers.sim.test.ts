/** Old nodes beside ours: what they are told, what they tell, and what is mended between them. */
import { describe, expect, test } from '@jest/globals'
import { flags, utf8Encode, type Value, type WireMessage } from '@p2p/serializer'
import { OldPeer } from './old-peer.ts'
import { SyncNetwork, type SyncSimNode } from './sync-network.ts'

const quiet = { listsPeersAfterHandshake: false, dialsKnownPeers: false }

/** Two of our nodes that are not connected yet, and an old neighbour of the second. */
function beside(kind: 'py2p' | 'js2p'): {
  readonly network: SyncNetwork
  readonly a: SyncSimNode
  readonly b: SyncSimNode
  readonly old: OldPeer
} {
  const network = new SyncNetwork({ seed: 1, machine: { policy: quiet } })
  const [a, b] = [network.add(), network.add()]
  const old = new OldPeer(network, kind, b)
  network.sim.runFor(1_000)
  return { network, a, b, old }
}

/** Key, value and, for a copy, whose it is. */
function told(messages: readonly WireMessage[]): readonly Value[][] {
  return messages.map(({ payload: [, key, value, ...owner] }) => [
    typeof key === 'string' ? key : new TextDecoder().decode(key as Uint8Array),
    value ?? null,
    ...owner.slice(0, 1),
  ])
}

test('deletes of many keys at once all reach an old neighbour beside one of ours, at both', () => {
  const network = new SyncNetwork({ seed: 1, machine: { policy: quiet } })
  const [a, b] = [network.add(), network.add()]
  network.connect(a, b)
  const [oldOfA, oldOfB] = [
    new OldPeer(network, 'py2p', a, 'py2pA'),
    new OldPeer(network, 'py2p', b, 'py2pB'),
  ]
  network.sim.runFor(1_000)
  const keys = Array.from({ length: 1_100 }, (_, number) => `key ${number}`)
  for (const key of keys) a.set(key, 1)
  network.sim.runFor(5_000)
  for (const old of [oldOfA, oldOfB]) expect(old.take()).toHaveLength(keys.length)
  for (const key of keys) a.set(key, null)
  network.sim.runFor(5_000)
  for (const old of [oldOfA, oldOfB]) expect(old.take()).toHaveLength(keys.length)
})

describe('an old neighbour that joins', () => {
  test('is shown every entry that has a value, in the name of its owner', () => {
    const network = new SyncNetwork({ seed: 1, machine: { policy: quiet } })
    const node = network.add()
    node.set('colour', 'green')
    node.set('gone', 1)
    node.set('gone', null)
    const old = new OldPeer(network, 'py2p', node)
    network.sim.runFor(1_000)
    expect(told(old.take())).toEqual([['colour', 'green', utf8Encode(node.id)]])
  })

  test('is shown them again when it repeats its handshake, but not within ten seconds', () => {
    const { network, b, old } = beside('py2p')
    b.set('colour', 'green')
    network.sim.runFor(1_000)
    old.take()
    old.introduce()
    network.sim.runFor(1_000)
    expect(old.take()).toEqual([])
    network.sim.runFor(10_000)
    old.introduce()
    network.sim.runFor(1_000)
    expect(told(old.take())).toEqual([['colour', 'green', utf8Encode(b.id)]])
  })

  test('gets a large dictionary in portions, and all of it', () => {
    const network = new SyncNetwork({ seed: 1, machine: { policy: quiet } })
    const node = network.add()
    for (let number = 0; number < 40; number += 1) node.set(`key ${number}`, 'x'.repeat(10_000))
    const old = new OldPeer(network, 'js2p', node)
    network.sim.runFor(3_000)
    expect(new Set(told(old.take()).map(([key]) => key)).size).toBe(40)
  })
})

describe('what a neighbour of ours tells', () => {
  test('is passed on to an old one as its owner sent it, values and deletes', () => {
    const { network, a, b, old } = beside('py2p')
    for (const node of [a, b]) node.set('mine', node === a ? 'a' : 'b')
    a.set('new', 1)
    network.connect(a, b)
    network.sim.runFor(5_000)
    const news = old.take().filter((message) => told([message])[0]?.[0] === 'new')
    expect(told(news)).toEqual([['new', 1]])
    expect(news[0]?.sender).toEqual(utf8Encode(a.id))
    a.set('new', null)
    network.sim.runFor(5_000)
    expect(told(old.take())).toContainEqual(['new', null])
  })

  test('as the end of an entry reaches py2p, which believes it, and not js2p, which would hang up', () => {
    for (const kind of ['py2p', 'js2p'] as const) {
      const { network, a, b, old } = beside(kind)
      network.connect(a, b)
      a.set('key', 1)
      network.sim.runFor(3_000)
      old.take()
      network.sim.partition([[a.sim], [b.sim]], 60_000)
      network.sim.runFor(1_000)
      a.set('key', null)
      network.sim.runFor(70_000)
      network.connect(a, b)
      network.sim.runFor(10_000)
      expect(b.get('key')).toBeUndefined()
      expect(told(old.take())).toEqual(kind === 'py2p' ? [['key', null]] : [])
    }
  })

  test('of several changes is shown as what they amount to', () => {
    const { network, a, b, old } = beside('py2p')
    a.set('map', { one: 1 })
    a.delta('map', { two: 2 })
    network.connect(a, b)
    network.sim.runFor(5_000)
    expect(told(old.take())).toEqual([['map', { one: 1, two: 2 }, utf8Encode(a.id)]])
  })

  test('of what came and went meanwhile is not told at all', () => {
    const { network, a, b, old } = beside('py2p')
    a.set('key', 1)
    a.set('key', null)
    network.connect(a, b)
    network.sim.runFor(5_000)
    expect(old.take()).toEqual([])
  })
})

describe('what an old neighbour writes', () => {
  test('reaches our nodes, also those behind others', () => {
    const { network, a, b, old } = beside('py2p')
    network.connect(a, b)
    network.sim.runFor(2_000)
    old.write('key', 'old')
    network.sim.runFor(2_000)
    expect([a.get('key'), b.get('key')]).toEqual(['old', 'old'])
  })

  test('comes once by each way, and is numbered by arrival within one second', () => {
    const { network, b, old } = beside('js2p')
    const time = Math.floor(network.sim.utcSeconds)
    for (const value of [1, 2, 3]) old.write('key', value, time)
    network.sim.runFor(1_000)
    expect(b.get('key')).toBe(3)
  })

  test('is refused when it does not read as a write, and costs no link', () => {
    const { network, b, old } = beside('py2p')
    const key = utf8Encode('key')
    const { store, delta } = flags
    old.say(flags.broadcast, [store])
    old.say(flags.broadcast, [store, 7, 'x'])
    old.say(flags.broadcast, [store, key])
    old.say(flags.whisper, [delta, key, { a: 1 }])
    old.say(flags.broadcast, [delta, key, 'no mapping'])
    old.say(flags.broadcast, [store, key, 1], { time: -1 })
    old.say(flags.whisper, [store, key, null, 'owner', 1])
    old.say(flags.whisper, [store, key, 1, 7, 1])
    old.say(flags.whisper, [store, key, 1, 'owner', 'now'])
    old.say(flags.whisper, [store, key, 1, 'owner', -1])
    network.sim.runFor(2_000)
    expect(b.machine.replica.size).toBe(0)
    expect(b.eventsOf('peer-leave')).toEqual([])
    expect(b.machine.counters()['refused:invalid']).toBeGreaterThanOrEqual(8)
  })
})

describe('what an old neighbour shows', () => {
  const since = (network: SyncNetwork): number => Math.floor(network.sim.utcSeconds) - 100

  test('and we did not know is taken, and spread among ours', () => {
    const { network, a, b, old } = beside('py2p')
    network.connect(a, b)
    network.sim.runFor(2_000)
    old.show('key', 'shown', 'somebody', since(network))
    network.sim.runFor(5_000)
    expect([a.get('key'), b.get('key')]).toEqual(['shown', 'shown'])
  })

  test('and its owner has changed since is told anew, as that owner said it', () => {
    const { network, b, old } = beside('py2p')
    const asOf = since(network)
    b.set('key', 'new')
    network.sim.runFor(1_000)
    old.take()
    old.show('key', 'old', utf8Encode(b.id), asOf)
    network.sim.runFor(1_000)
    expect(told(old.take())).toEqual([['key', 'new']])
    b.set('key', null)
    network.sim.runFor(1_000)
    old.take()
    old.show('key', 'old', utf8Encode(b.id), asOf)
    network.sim.runFor(1_000)
    expect(told(old.take())).toEqual([['key', null]])
  })

  test('and is as we have it needs no answer, nor what others hold, unless old peers are to be healed', () => {
    const { network, b, old } = beside('py2p')
    b.set('key', 'ours')
    network.sim.runFor(1_000)
    const [mine] = old.take()
    old.show('key', 'ours', utf8Encode(b.id), mine?.time ?? 0)
    old.show('key', 'theirs', 'somebody', since(network) - 10_000)
    network.sim.runFor(2_000)
    expect(told(old.take())).toEqual([])
  })

  test('in the name of somebody who lost the key is deleted in that name and replaced, when asked for', () => {
    const network = new SyncNetwork({ seed: 1, machine: { policy: quiet, healsOldPeers: true } })
    const node = network.add()
    node.set('key', 'ours')
    const old = new OldPeer(network, 'py2p', node)
    network.sim.runFor(1_000)
    old.take()
    const asOf = since(network) - 10_000
    old.show('key', 'theirs', 'somebody', asOf)
    network.sim.runFor(2_000)
    const [erased, replaced] = old.take()
    expect([erased?.sender, erased?.payload[2]]).toEqual(['somebody', null])
    expect(told(replaced === undefined ? [] : [replaced])).toEqual([
      ['key', 'ours', utf8Encode(node.id)],
    ])
  })

  test('in that way by js2p is left alone', () => {
    const network = new SyncNetwork({ seed: 1, machine: { policy: quiet, healsOldPeers: true } })
    const node = network.add()
    node.set('key', 'ours')
    const old = new OldPeer(network, 'js2p', node)
    network.sim.runFor(1_000)
    old.take()
    old.show('key', 'theirs', 'somebody', since(network) - 10_000)
    network.sim.runFor(2_000)
    expect(old.take()).toEqual([])
  })
})
