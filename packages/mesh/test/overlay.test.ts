import { expect, test } from '@jest/globals'
import type { Peer } from '@p2p/base'
import { Overlay, type OverlayLimits } from '../src/protocol/overlay.ts'

const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 0 })

function overlay(limits: Partial<OverlayLimits> = {}, bootstrap: readonly string[] = []): Overlay {
  return new Overlay({ ownId: 'm', random: (count) => new Uint8Array(count), limits, bootstrap })
}

function peer(id: string, more: Partial<Peer> = {}): Peer {
  const address = addressOf(id)
  return {
    id,
    link: 1,
    transport: 'tcp',
    kind: 'ours',
    outgoing: true,
    address,
    addresses: [address],
    supports: () => true,
    ...more,
  }
}

/** An address in a network of its own. */
function addressOf(id: string): string {
  const number = [...id].reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7) % 200
  return `tcp://${20 + number}.1.1.1:4000`
}

const heard = (...ids: string[]): { id: string; address: string }[] =>
  ids.map((id) => ({ id, address: addressOf(id) }))

/** Everybody dialled until `untilMs`, with the moment. */
function dials(subject: Overlay, untilMs: number): [number, string][] {
  const made: [number, string][] = []
  for (let nextMs = subject.nextDeadline(); nextMs <= untilMs; nextMs = subject.nextDeadline()) {
    const before = made.length
    for (const { id } of subject.takeDials(at(nextMs))) made.push([nextMs, id])
    if (made.length === before) throw new Error(`nothing was due at ${nextMs}`)
  }
  return made
}

test('the greater of two ids waits longer before it dials what it heard of', () => {
  const subject = overlay()
  subject.hear(heard('a', 'z'), 'source', at(1_000))
  expect(dials(subject, 60_000)).toEqual([
    [1_000, 'z'],
    [1_400, 'a'],
  ])
})

test('no more is dialled than the target, and none who is connected', () => {
  const subject = overlay({ targetOutgoing: 3 })
  subject.peerOpened(peer('n'), at(0))
  subject.peerOpened(peer('incoming', { outgoing: false }), at(0))
  subject.hear(heard('n', 'o', 'p', 'q', 'r'), 'source', at(0))
  expect(dials(subject, 60_000)).toHaveLength(2)
})

test('a node that nobody has dialled dials half as many again', () => {
  const subject = overlay({ targetOutgoing: 3 })
  subject.hear(heard('o', 'p', 'q', 'r', 's', 't'), 'source', at(0))
  expect(dials(subject, 60_000)).toHaveLength(4)
})

test('one source fills only its share of the table, and the table has an end', () => {
  const many = heard(...Array.from({ length: 100 }, (_, index) => `x${index}`))
  const subject = overlay({ maxKnownPerSource: 10, maxKnownPeers: 15 })
  subject.hear(many.slice(0, 50), 'one', at(0))
  expect(subject.knownCount).toBe(10)
  subject.hear(many.slice(50), 'two', at(0))
  expect(subject.knownCount).toBe(15)
})

test('of many addresses in one public network only a few are dialled', () => {
  const subject = overlay({ maxOutgoingPerGroup: 2 })
  const near = ['n', 'o', 'p', 'q'].map((id, index) => ({ id, address: `tcp://20.1.1.${index}:1` }))
  subject.hear(near, 'source', at(0))
  for (const { id, address } of near.slice(0, 2)) subject.peerOpened(peer(id, { address }), at(0))
  expect(dials(subject, 10_000)).toEqual([])
})

test('a lost peer is dialled again soon, later each time it does not answer', () => {
  const subject = overlay()
  subject.peerOpened(peer('n'), at(0))
  subject.peerClosed(peer('n'), at(100_000))
  const pauses: number[] = []
  let lostMs = 100_000
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const dueMs = subject.nextDeadline()
    subject.takeDials(at(dueMs))
    pauses.push(dueMs - lostMs)
    subject.dialFailed('n', at(dueMs))
    lostMs = dueMs
  }
  expect(pauses).toEqual([250, 500, 1_000, 2_000])
})

test('an address that fails again and again is forgotten, unless nobody else is reached either', () => {
  for (const isAlone of [true, false]) {
    const subject = overlay()
    if (!isAlone) subject.peerOpened(peer('other', { outgoing: false }), at(0))
    subject.peerOpened(peer('n'), at(0))
    subject.peerClosed(peer('n'), at(100_000))
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const dueMs = subject.nextDeadline()
      expect(subject.takeDials(at(dueMs))).toHaveLength(1)
      subject.dialFailed('n', at(dueMs))
    }
    expect(subject.addressOf('n') !== undefined).toBe(isAlone)
    expect(subject.nextDeadline() < Infinity).toBe(isAlone)
  }
})

test('a peer that the application sent away is not dialled, until the application connects to it', () => {
  const subject = overlay()
  subject.peerOpened(peer('n'), at(0))
  subject.shun('n')
  subject.peerClosed(peer('n'), at(0))
  subject.hear(heard('n'), 'source', at(0))
  expect(subject.nextDeadline()).toBe(Infinity)
  // The order in which a link tells: it opens, then it is known for what.
  subject.peerOpened(peer('n'), at(0))
  subject.noteAnswer(addressOf('n'), peer('n'), true, at(0))
  subject.peerClosed(peer('n'), at(0))
  expect(subject.nextDeadline()).toBeLessThan(Infinity)
})

test('above its number of neighbours a node sends the youngest of its kind away, never an old one', () => {
  const subject = overlay({ maxNeighbours: 2 })
  subject.peerOpened(peer('n', { outgoing: false }), at(0))
  subject.peerOpened(peer('o', { outgoing: false }), at(1_000))
  subject.peerOpened(peer('p', { outgoing: false, kind: 'py2p' }), at(2_000))
  expect(subject.takeSurplus(at(5_999))).toBeUndefined()
  expect(subject.takeSurplus(at(6_000))?.id).toBe('o')
})

test('a bootstrap address is dialled until somebody answers there, and again when that one is gone', () => {
  const subject = overlay({}, ['tcp://20.1.1.1:1'])
  expect(subject.takeBootstraps(at(0))).toEqual(['tcp://20.1.1.1:1'])
  expect(subject.takeBootstraps(at(100))).toEqual([])
  expect(subject.takeBootstraps(at(1_000))).toEqual(['tcp://20.1.1.1:1'])
  subject.noteAnswer('tcp://20.1.1.1:1', peer('n'), false, at(1_000))
  subject.peerOpened(peer('n'), at(1_000))
  expect(subject.takeBootstraps(at(100_000))).toEqual([])
  subject.peerClosed(peer('n'), at(200_000))
  expect(subject.takeBootstraps(at(200_000))).toEqual(['tcp://20.1.1.1:1'])
})

test('a bootstrap address that the application dials is not dialled beside that', () => {
  const subject = overlay({}, ['tcp://20.1.1.1:1', 'tcp://20.1.1.2:1'])
  subject.noteDial('tcp://20.1.1.1:1', at(0))
  expect(subject.takeBootstraps(at(0))).toEqual(['tcp://20.1.1.2:1'])
  expect(subject.takeBootstraps(at(1_000))).toEqual(['tcp://20.1.1.1:1', 'tcp://20.1.1.2:1'])
})

test('a deadline passes once, also when a link that took the place of another filled the target', () => {
  const subject = overlay({ targetOutgoing: 1 })
  const other: { outgoing: boolean } & Peer = peer('n', { outgoing: false })
  subject.peerOpened(other, at(0))
  subject.hear(heard('o'), 'source', at(0))
  const dueMs = subject.nextDeadline()
  expect(dueMs).toBeLessThan(60_000)
  Object.assign(other, { outgoing: true })
  expect(subject.takeDials(at(dueMs))).toEqual([])
  expect(subject.nextDeadline()).toBeGreaterThan(dueMs)
})

test('hearsay moves an address that stopped answering, never one that worked', () => {
  const subject = overlay()
  const moved = [{ id: 'n', address: 'tcp://99.1.1.1:4000' }]
  subject.peerOpened(peer('n'), at(0))
  subject.peerClosed(peer('n'), at(100_000))
  subject.hear(moved, 'source', at(100_000))
  expect(subject.addressOf('n')).toBe(addressOf('n'))
  subject.takeDials(at(subject.nextDeadline()))
  subject.dialFailed('n', at(101_000))
  subject.hear(moved, 'source', at(101_000))
  expect(subject.addressOf('n')).toBe('tcp://99.1.1.1:4000')
})

test('a node with all the links it wants still looks for an old peer that has no other way back', () => {
  const subject = overlay({ targetOutgoing: 1, rescueIntervalMs: 30_000 })
  subject.peerOpened(peer('old', { kind: 'py2p' }), at(0))
  subject.peerOpened(peer('n'), at(0))
  subject.hear(heard('o'), 'source', at(0))
  subject.peerClosed(peer('old', { kind: 'py2p' }), at(100_000))
  const [[firstMs = 0, first] = []] = dials(subject, 300_000)
  expect(first).toBe('old')
  subject.dialFailed('old', at(firstMs))
  const [[secondMs = 0, second] = []] = dials(subject, 300_000)
  expect(second).toBe('old')
  expect(secondMs - firstMs).toBeGreaterThanOrEqual(30_000)
})

test('of old peers only a few are dialled, as soon as there are two neighbours', () => {
  const subject = overlay({ maxOldOutgoing: 1 })
  for (const id of ['n', 'o', 'p']) {
    subject.peerOpened(peer(id, { kind: 'py2p' }), at(0))
    subject.peerClosed(peer(id, { kind: 'py2p' }), at(100_000))
  }
  subject.peerOpened(peer('n', { kind: 'py2p' }), at(100_000))
  expect(subject.takeDials(at(200_000))).toHaveLength(1) // alone with one, it takes any
  subject.peerOpened(peer('q', { outgoing: false }), at(200_000))
  subject.peerOpened(peer('o', { kind: 'py2p' }), at(200_000))
  expect(subject.takeDials(at(200_001))).toEqual([])
})

test('a full table gives up hearsay first, then the oldest address of nobody who is connected', () => {
  const subject = overlay({ maxKnownPeers: 3 })
  const proven = (id: string, isConnected: boolean): void => {
    subject.peerOpened(peer(id), at(0))
    if (!isConnected) subject.peerClosed(peer(id), at(1))
  }
  const known = (): string[] => ['a', 'b', 'c', 'd', 'e'].filter((id) => subject.addressOf(id))
  proven('a', true)
  proven('b', false)
  subject.hear(heard('c'), 'source', at(0))
  proven('d', false)
  expect(known()).toEqual(['a', 'b', 'd'])
  proven('e', true)
  expect(known()).toEqual(['a', 'd', 'e'])
})

test('a table full of neighbours grows no further than they are', () => {
  const subject = overlay({ maxKnownPeers: 2 })
  for (const id of ['a', 'b', 'c']) subject.peerOpened(peer(id), at(0))
  expect(subject.knownCount).toBe(3)
  subject.hear(heard('d'), 'source', at(0))
  expect(subject.addressOf('d')).toBeUndefined()
})

test('old peers that are too many stay: nobody is sent away', () => {
  const subject = overlay({ maxNeighbours: 1 })
  for (const id of ['n', 'o']) {
    subject.peerOpened(peer(id, { outgoing: false, kind: 'js2p' }), at(0))
  }
  expect(subject.takeSurplus(at(1_000_000))).toBeUndefined()
})

test('1,024 who were sent away are remembered, the first is forgotten for one more', () => {
  const subject = overlay()
  for (let count = 0; count <= 1_024; count += 1) subject.shun(`x${count}`)
  subject.hear(heard('x0', 'x1'), 'source', at(0))
  expect(subject.addressOf('x0')).toBe(addressOf('x0'))
  expect(subject.addressOf('x1')).toBeUndefined()
})

test('a dial that nobody knows of any more changes nothing', () => {
  const subject = overlay()
  subject.dialFailed('n', at(0))
  subject.dialSucceeded('n', peer('n'))
  expect([subject.knownCount, subject.nextDeadline()]).toEqual([0, Infinity])
})

test('where another node answers than was heard, the old id is forgotten', () => {
  const subject = overlay()
  subject.hear(heard('z'), 'source', at(0))
  expect(subject.takeDials(at(1_000)).map(({ id }) => id)).toEqual(['z'])
  subject.dialSucceeded('z', peer('y'))
  expect(subject.addressOf('z')).toBeUndefined()
})

test('an address that came up while another one of the node was dialled stays, and is counted once', () => {
  const subject = overlay({ maxKnownPerSource: 1 })
  subject.hear(heard('z'), 'liar', at(0))
  expect(subject.takeDials(at(1_000))).toHaveLength(1)
  const moved = 'tcp://99.1.1.1:4000'
  subject.hear([{ id: 'z', address: moved }], 'honest', at(1_000))
  subject.dialSucceeded('z', peer('y'))
  expect(subject.addressOf('z')).toBe(moved)
  subject.hear(heard('a', 'b'), 'liar', at(2_000))
  subject.peerOpened(peer('z', { address: moved }), at(2_000))
  subject.hear(heard('c', 'd'), 'honest', at(2_000))
  const known = ['a', 'b', 'c', 'd'].filter((id) => subject.addressOf(id) !== undefined)
  expect(known).toEqual(['a', 'c'])
})
