import { expect, test } from '@jest/globals'
import type { Now, Peer } from '@p2p/base'
import { encodeBase58Integer } from '@p2p/serializer'
import { RingKeeper } from '../src/protocol/ring-keeper.ts'
import { readRingMessage, type RingMessage } from '../src/protocol/ring-messages.ts'
import { RingView, type Member } from '../src/protocol/ring-view.ts'
import { largeRing } from '../src/protocol/rumours.ts'
import { peerOf as neighbour } from './peer-of.ts'

const member = {
  id: 'b'.repeat(66),
  incarnation: 1,
  state: 'storing',
  isOld: false,
  shift: 0,
  addresses: ['tcp://127.0.0.1:4000'],
} as const
const messenger = neighbour('c'.repeat(66))
const now = { monoMs: 1_000, utcSeconds: 1_500_000_000 }

function keeperWithMember(): RingKeeper {
  const keeper = new RingKeeper({
    id: 'a'.repeat(66),
    view: new RingView(),
    random: (count) => new Uint8Array(count),
    isTalking: true,
    line: {
      peers: new Map(),
      send: () => undefined,
      spread: () => undefined,
      dial: () => undefined,
      ringChanged: () => undefined,
      talksTo: () => true,
      wasGone: () => undefined,
      told: () => undefined,
      compared: () => undefined,
    },
  })
  keeper.setAddresses(['tcp://127.0.0.1:4001'], now)
  keeper.handle({ type: 'members', members: [member], isPassed: false }, messenger, false, now)
  return keeper
}

test('a member that does not answer two dials is gone', () => {
  const keeper = keeperWithMember()
  keeper.dialEnded(member.id, 'P2P_CONNECTION_REFUSED', now)
  expect(keeper.view.get(member.id)?.state).toBe('storing')
  keeper.dialEnded(member.id, 'P2P_CONNECTION_REFUSED', now)
  expect(keeper.view.get(member.id)?.state).toBe('gone')
})

test('a member that is full, or was dialled twice at once, is not gone', () => {
  const keeper = keeperWithMember()
  const codes = ['P2P_CLOSED_IN_HANDSHAKE', 'P2P_DUPLICATE_LINK', 'P2P_CROSSED_LINKS']
  for (const code of [...codes, 'P2P_TOO_MANY_DIALS']) {
    for (let dial = 0; dial < 5; dial += 1) keeper.dialEnded(member.id, code, now)
  }
  expect(keeper.view.get(member.id)?.state).toBe('storing')
})

test('a member that hangs up on every dial is dialled at ever longer intervals, a minute at most, and is not gone', () => {
  const { keeper, dialled } = watched()
  hear(keeper, [storing('b')])
  keeper.setStoring(true, now)
  const dials: number[] = []
  for (let at = keeper.nextDeadline(); at < 600_000; at = keeper.nextDeadline()) {
    const then = later(at - now.monoMs)
    keeper.handleDeadline(then)
    for (const one of dialled.splice(0)) {
      dials.push(at)
      keeper.dialEnded(one, 'P2P_CLOSED_IN_HANDSHAKE', then)
    }
  }
  const pauses = dials.slice(1).map((at, index) => at - (dials[index] ?? 0))
  expect(pauses.slice(0, 3).every((pause) => pause < 5_000)).toBe(true)
  expect(pauses.at(-1)).toBeGreaterThanOrEqual(60_000)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(60_500)
  expect(keeper.view.get(id('b'))?.state).toBe('storing')
})

test('a member that cannot be dialled is given the time to dial', () => {
  const keeper = keeperWithMember()
  keeper.dialEnded(member.id, 'P2P_NO_ADDRESS', now)
  expect(keeper.view.get(member.id)?.state).toBe('storing')
  for (let wait = 0; wait < 2; wait += 1) keeper.dialEnded(member.id, 'P2P_NO_ADDRESS', now)
  expect(keeper.view.get(member.id)?.state).toBe('gone')
})

test('of two that cannot be dialled neither finds the other gone', () => {
  const keeper = keeperWithMember()
  keeper.setAddresses([], now)
  for (let wait = 0; wait < 5; wait += 1) keeper.dialEnded(member.id, 'P2P_NO_ADDRESS', now)
  expect(keeper.view.get(member.id)?.state).toBe('storing')
})

const id = (letter: string): string => letter.repeat(66)
const storing = (letter: string, more: Partial<Member> = {}): Member => ({
  ...member,
  id: id(letter),
  addresses: [`tcp://127.0.0.${letter.charCodeAt(0)}:4000`],
  ...more,
})
const peerOf = (letter: string, more: Partial<Peer> = {}): Peer => ({
  ...messenger,
  id: id(letter),
  ...more,
})
const later = (monoMs: number): Now => ({
  monoMs: now.monoMs + monoMs,
  utcSeconds: now.utcSeconds + monoMs / 1_000,
})

/** A keeper, and all that it does. */
function watched(options: { readonly isTalking?: boolean } = {}): {
  readonly keeper: RingKeeper
  readonly peers: Map<string, Peer>
  readonly sent: [to: string, message: RingMessage | undefined][]
  readonly spread: (RingMessage | undefined)[]
  readonly dialled: string[]
  readonly changed: string[]
  readonly returned: number[]
  readonly told: string[]
  readonly compared: string[]
} {
  const scene = {
    peers: new Map<string, Peer>(),
    sent: [] as [string, RingMessage | undefined][],
    spread: [] as (RingMessage | undefined)[],
    dialled: [] as string[],
    changed: [] as string[],
    returned: [] as number[],
    told: [] as string[],
    compared: [] as string[],
  }
  const keeper = new RingKeeper({
    id: id('a'),
    view: new RingView(),
    random: (count) => new Uint8Array(count),
    isTalking: options.isTalking ?? true,
    line: {
      peers: scene.peers,
      send: (to, payload) => scene.sent.push([to, readRingMessage(payload)]),
      spread: (payload) => scene.spread.push(readRingMessage(payload)),
      dial: (to) => scene.dialled.push(to),
      ringChanged: (one) => scene.changed.push(`${one.id.charAt(0)} ${one.state}`),
      talksTo: (peer) => (options.isTalking ?? true) && peer.supports('chord-replicas'),
      wasGone: ({ monoMs }) => scene.returned.push(monoMs),
      told: (peer) => scene.told.push(peer),
      compared: (peer) => scene.compared.push(peer),
    },
  })
  keeper.setAddresses(['tcp://127.0.0.1:4001'], now)
  return { keeper, ...scene }
}

const hear = (keeper: RingKeeper, members: readonly Member[], isPrivate = false): void => {
  keeper.handle({ type: 'members', members, isPassed: false }, messenger, isPrivate, later(0))
}

test('a node announces itself once when it begins to store, when its addresses change, and when it ends', () => {
  const { keeper, spread } = watched()
  expect(keeper.setStoring(false, now)).toBe(false)
  expect(keeper.setStoring(true, now)).toBe(true)
  expect(keeper.setStoring(true, now)).toBe(false)
  keeper.setAddresses(['tcp://127.0.0.1:4002'], later(10))
  expect(keeper.view.get(id('a'))?.addresses).toEqual(['tcp://127.0.0.1:4002'])
  expect(keeper.setStoring(false, later(20))).toBe(true)
  expect(spread.map((message) => message?.type)).toEqual(['members', 'members'])
  expect(keeper.view.get(id('a'))?.state).toBe('left')
})

test('a plain node believes what it sees and tells nobody', () => {
  const { keeper, sent, spread, changed } = watched({ isTalking: false })
  keeper.hearOld(peerOf('b'), true, now)
  keeper.setStoring(true, now)
  keeper.peerJoined(peerOf('c'), now)
  keeper.peerLeft(peerOf('c'), now) // never stored
  keeper.peerLeft(peerOf('b'), now)
  expect(changed).toEqual(['b storing', 'a storing', 'b gone'])
  expect([sent, spread]).toEqual([[], []])
})

test('what an old neighbour says of itself is news when it changes, with its address or without one', () => {
  const { keeper } = watched()
  const old = peerOf('b', { kind: 'py2p', address: 'tcp://127.0.0.9:1' })
  expect(keeper.hearOld(old, false, now)).toBe(false)
  expect(keeper.hearOld(old, true, now)).toBe(true)
  expect(keeper.hearOld(old, true, now)).toBe(false)
  expect(keeper.view.get(id('b'))?.addresses).toEqual(['tcp://127.0.0.9:1'])
  expect(keeper.hearOld(peerOf('b', { kind: 'py2p' }), false, now)).toBe(true)
  expect(keeper.view.get(id('b'))).toMatchObject({ state: 'left', isOld: true, addresses: [] })
})

test('who loses a neighbour on the ring dials it before it says that it is gone', () => {
  const { keeper, dialled, changed } = watched()
  keeper.setStoring(true, now)
  hear(keeper, [storing('b')])
  keeper.peerLeft(peerOf('b'), now)
  keeper.handleDeadline(later(60_000))
  expect(dialled).toContain(id('b'))
  keeper.dialEnded(id('b'), undefined, later(60_000))
  expect(changed).not.toContain('b gone')
  keeper.peerLeft(peerOf('b'), later(70_000))
  keeper.handleDeadline(later(130_000))
  keeper.dialEnded(id('b'), 'P2P_CONNECTION_REFUSED', later(130_000))
  expect(changed).toContain('b gone')
})

test('a dial to somebody who does not store any more, or to ourselves, settles nothing', () => {
  const { keeper, changed } = watched()
  keeper.setStoring(true, now)
  hear(keeper, [storing('b', { state: 'left' })])
  for (const one of [id('a'), id('b'), id('z')]) {
    for (let dial = 0; dial < 3; dial += 1) {
      keeper.dialEnded(one, 'P2P_CONNECTION_REFUSED', now)
    }
  }
  expect(changed).toEqual(['a storing'])
})

test('who is told that a neighbour is gone asks it, and a link to it is answer enough', () => {
  const { keeper, peers, sent, changed } = watched()
  keeper.setStoring(true, now)
  hear(keeper, [storing('b')])
  peers.set(id('b'), peerOf('b'))
  hear(keeper, [storing('b', { state: 'gone' })])
  expect(changed).not.toContain('b gone')
  const [to, message] = sent.at(-1) ?? []
  expect([to, message?.type]).toEqual([id('b'), 'members'])
})

test('a rumour about a neighbour on the ring is looked into, and told to it when it comes', () => {
  const { keeper, sent, dialled, changed } = watched()
  keeper.setStoring(true, now)
  hear(keeper, [storing('b')])
  const rumour = storing('b', { state: 'gone' })
  hear(keeper, [rumour])
  hear(keeper, [rumour])
  keeper.handleDeadline(later(60_000))
  expect(dialled.filter((one) => one === id('b')).length).toBeGreaterThanOrEqual(1)
  sent.length = 0
  keeper.peerJoined(peerOf('b'), later(61_000))
  expect(sent.map(([to, message]) => [to, message?.type])).toEqual([
    [id('b'), 'members'],
    [id('b'), 'digest'],
  ])
  expect(changed).not.toContain('b gone')
})

test('a node that stores nothing believes what it is told, and so does anybody of an old node', () => {
  const { keeper, changed } = watched()
  hear(keeper, [storing('b'), storing('c', { isOld: true })])
  hear(keeper, [storing('b', { state: 'gone' })])
  expect(changed).toContain('b gone')
  keeper.setStoring(true, now)
  hear(keeper, [storing('c', { state: 'gone', isOld: true })])
  expect(changed).toContain('c gone')
})

test('who has a link to an old node that is said to be gone says that it is not', () => {
  const { keeper, peers } = watched()
  hear(keeper, [storing('c', { isOld: true })])
  peers.set(id('c'), peerOf('c', { kind: 'py2p', supports: () => false }))
  hear(keeper, [storing('c', { state: 'gone', isOld: true })])
  expect(keeper.view.get(id('c'))).toMatchObject({ state: 'storing', incarnation: 2 })
})

test('a rumour from an earlier life is not looked into', () => {
  const { keeper, dialled, changed } = watched()
  keeper.setStoring(true, now)
  hear(keeper, [storing('b', { incarnation: 5 })])
  hear(keeper, [storing('b', { incarnation: 4, state: 'gone' })])
  keeper.handleDeadline(later(60_000))
  expect(changed).not.toContain('b gone')
  expect(keeper.view.get(id('b'))?.incarnation).toBe(5)
  expect(dialled.length).toBeLessThanOrEqual(1) // to keep the link
})

test('what is said of us is denied when it is wrong, with an incarnation above it', () => {
  const { keeper } = watched()
  const own = (state: Member['state'], incarnation: number): Member =>
    storing('a', { state, incarnation })
  hear(keeper, [own('gone', 7)])
  expect(keeper.view.get(id('a'))).toBeUndefined() // we never said a thing
  hear(keeper, [own('storing', 7)])
  expect(keeper.view.get(id('a'))).toMatchObject({ state: 'left' })
  keeper.setStoring(true, later(1_000))
  const said = keeper.view.get(id('a'))?.incarnation ?? 0
  hear(keeper, [own('gone', said - 1)])
  expect(keeper.view.get(id('a'))?.incarnation).toBe(said)
  keeper.handle(
    { type: 'members', members: [own('gone', said + 1)], isPassed: false },
    messenger,
    false,
    later(2_000),
  )
  const denied = keeper.view.get(id('a'))
  expect(denied?.state).toBe('storing')
  expect(denied?.incarnation).toBeGreaterThan(said + 1)
  keeper.handle(
    { type: 'members', members: [own('storing', said)], isPassed: false },
    messenger,
    false,
    later(3_000),
  )
  expect(keeper.view.get(id('a'))).toEqual(denied)
})

test('who was said to be gone while it stored was told nothing, and hears of it', () => {
  const { keeper, returned } = watched()
  keeper.setStoring(true, now)
  const said = keeper.view.get(id('a'))?.incarnation ?? 0
  hear(keeper, [storing('a', { state: 'left', incarnation: said + 1 })])
  expect(returned).toEqual([])
  hear(keeper, [storing('a', { state: 'gone', incarnation: said + 2 })])
  expect(returned).toEqual([now.monoMs])
})

test('a node whose clock was hours ahead announces itself anew when the clock is right', () => {
  const { keeper } = watched()
  const ahead = { ...now, utcSeconds: now.utcSeconds + 5 * 3_600 }
  keeper.setStoring(true, ahead)
  keeper.peerJoined(peerOf('b'), ahead)
  expect(keeper.view.get(id('a'))?.incarnation).toBe(ahead.utcSeconds * 1_000)
  const right = later(60_000)
  keeper.handleDeadline(right)
  expect(keeper.view.get(id('a'))).toMatchObject({
    state: 'storing',
    incarnation: right.utcSeconds * 1_000,
  })
})

test('a storing node needs links to all of a small ring, another one none', () => {
  const { keeper } = watched()
  const others = ['c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm'].map((letter) => storing(letter))
  hear(keeper, others)
  expect(others.filter((one) => keeper.needsLinkTo(one.id))).toEqual([])
  keeper.setStoring(true, now)
  expect(others.filter((one) => keeper.needsLinkTo(one.id))).toEqual(others)
  expect(keeper.needsLinkTo(id('z'))).toBe(false)
})

test('a storing node of a large ring needs links to its neighbours on it and to old nodes', () => {
  const { keeper } = watched()
  const far = ['c', 'd', 'e', 'f', 'g', 'h', 'i'].flatMap((letter) =>
    [...'123456789a'].map((digit) => storing(letter, { id: `${letter}${digit}`.repeat(33) })),
  )
  hear(keeper, [storing('b', { isOld: true }), ...far])
  expect(keeper.needsLinkTo(id('b'))).toBe(false)
  keeper.setStoring(true, now)
  expect(keeper.needsLinkTo(id('b'))).toBe(true)
  // Four on each side.
  expect(far.filter((one) => keeper.needsLinkTo(one.id))).toHaveLength(8)
  expect(keeper.needsLinkTo(id('z'))).toBe(false)
})

test('a node of a large ring with all its links looks at them when a neighbour on the ring goes, for nobody else', () => {
  const { keeper, dialled, peers } = ringOf(largeRing)
  keeper.setStoring(true, now)
  keeper.handleDeadline(later(100))
  expect(dialled).toHaveLength(8)
  // As long as one is lacking it looks again.
  expect(keeper.nextDeadline()).toBeLessThanOrEqual(later(5_100).monoMs)
  for (const one of dialled) peers.set(one, neighbour(one))
  keeper.handleDeadline(later(5_100))
  expect(keeper.nextDeadline()).toBe(Infinity)
  const [near = ''] = dialled
  const far = [...keeper.view.nodes.values()].find(({ id: one }) => !keeper.needsLinkTo(one))
  hear(keeper, [storing('b', { id: far?.id ?? '', incarnation: 2, state: 'left' })])
  expect(keeper.nextDeadline()).toBe(Infinity)
  hear(keeper, [storing('b', { id: near, incarnation: 2, state: 'left' })])
  keeper.handleDeadline(later(5_200))
  expect(dialled).toHaveLength(9)
})

/** A ring of so many others, some of them neighbours. */
const neighbours = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']

function ringOf(size: number): ReturnType<typeof watched> {
  const scene = watched()
  hear(
    scene.keeper,
    Array.from({ length: size }, (_, index) =>
      storing('b', { id: encodeBase58Integer((1n << 380n) + BigInt(index)) }),
    ),
  )
  for (const letter of neighbours) scene.peers.set(id(letter), neighbour(id(letter)))
  return scene
}

const passed = (incarnation: number): Extract<RingMessage, { type: 'members' }> => ({
  type: 'members',
  members: [{ ...member, incarnation }],
  isPassed: true,
})

test('news of a small ring are broadcast, and what is passed on there is not', () => {
  const { keeper, sent, spread } = ringOf(largeRing - 3)
  keeper.setStoring(true, now)
  expect(spread).toMatchObject([{ type: 'members', isPassed: true }])
  keeper.handle(passed(2), messenger, true, now)
  keeper.handleDeadline(later(60_000))
  expect([spread.length, sent.filter(([, one]) => one?.type === 'members')]).toEqual([1, []])
})

test('a node of a large ring passes on what is new to it, what came within six seconds in one message', () => {
  const { keeper, sent, spread } = ringOf(largeRing)
  for (const letter of neighbours) keeper.peerJoined(neighbour(id(letter)), now)
  keeper.handle(passed(2), messenger, true, now)
  const other = { ...member, id: id('k') }
  keeper.handle({ ...passed(2), members: [other] }, messenger, true, later(1_000))
  expect(keeper.nextDeadline()).toBeLessThanOrEqual(later(6_000).monoMs)
  keeper.handleDeadline(later(6_000))
  const news = { ...passed(2), members: [{ ...member, incarnation: 2 }, other] }
  expect(spread).toEqual([])
  // With these random bytes the first four are drawn.
  expect(sent.filter(([, one]) => one?.type === 'members')).toEqual(
    ['b', 'c', 'd', 'e'].map((letter) => [id(letter), news]),
  )
})

test('what a node of a large ring knows already, or was told when it asked, it does not pass on', () => {
  const { keeper, sent } = ringOf(largeRing)
  hear(keeper, [{ ...member, incarnation: 2 }], true)
  keeper.handle(passed(2), messenger, true, now)
  keeper.handleDeadline(later(60_000))
  expect(sent.filter(([, one]) => one?.type === 'members')).toEqual([])
})

test('who knows nobody is told of those that are gone, too', () => {
  const { keeper, sent } = watched()
  const gone = storing('d', { incarnation: 2, state: 'gone' })
  hear(keeper, [storing('d'), storing('b'), gone])
  const sums = new Array<number>(keeper.view.digest().length).fill(0)
  keeper.handle({ type: 'digest', isAnswer: false, sums }, messenger, true, now)
  expect(sent[0]).toMatchObject([
    messenger.id,
    { members: expect.arrayContaining([storing('b'), gone]) },
  ])
})

test('who was only told that somebody is gone does not tell it on: it would never be forgotten', () => {
  const { keeper, sent } = watched()
  hear(keeper, [storing('b'), storing('d', { state: 'gone' })])
  const sums = new Array<number>(keeper.view.digest().length).fill(0)
  keeper.handle({ type: 'digest', isAnswer: false, sums }, messenger, true, now)
  expect(sent[0]).toEqual([
    messenger.id,
    { type: 'members', members: [storing('b')], isPassed: false },
  ])
})

test('who takes one for a member that is gone is told so, however long it has been gone', () => {
  const { keeper, sent } = watched()
  const gone = storing('d', { incarnation: 2, state: 'gone' })
  hear(keeper, [storing('d'), gone])
  const halfAnHour = later(1_800_000)
  const claims = [storing('b'), storing('d')]
  keeper.handle({ type: 'members', members: claims, isPassed: true }, messenger, true, halfAnHour)
  expect(sent).toEqual([])
  keeper.handle({ type: 'members', members: claims, isPassed: false }, messenger, true, halfAnHour)
  expect(sent).toEqual([[messenger.id, { type: 'members', members: [gone], isPassed: false }]])
})

test('in a large ring a link to a member that is known asks nothing, one to any other does', () => {
  const { keeper, sent } = ringOf(largeRing)
  keeper.setStoring(true, now)
  hear(keeper, [storing('d')])
  keeper.peerJoined(neighbour(id('d')), now)
  expect(sent.filter(([, one]) => one?.type === 'digest')).toEqual([])
  keeper.peerJoined(neighbour(id('e')), now)
  expect(sent.filter(([, one]) => one?.type === 'digest')).toMatchObject([[id('e'), {}]])
})

test('whoever is new to a small ring is told all of it unasked, and once', () => {
  const { keeper, sent, told } = watched()
  hear(keeper, [storing('b')])
  keeper.peerJoined(messenger, now)
  const empty = new Array<number>(keeper.view.digest().length).fill(0)
  keeper.handle({ type: 'digest', isAnswer: true, sums: empty }, messenger, true, now)
  expect(told).toEqual([messenger.id])
  expect(sent).toEqual([
    [messenger.id, { type: 'members', members: [storing('b')], isPassed: false }],
    [messenger.id, { type: 'digest', isAnswer: true, sums: [] }],
  ])
})

test('whoever is new to a larger ring is asked, and told once when he says that he knows nobody', () => {
  const letters = [...'bdefghijklmnopqrs']
  const { keeper, sent } = watched()
  hear(
    keeper,
    letters.map((letter) => storing(letter)),
  )
  keeper.peerJoined(messenger, now)
  expect(sent.splice(0)).toMatchObject([[messenger.id, { type: 'digest', isAnswer: false }]])
  const empty = new Array<number>(keeper.view.digest().length).fill(0)
  // Unasked, as one tells what he knows who knows little, and then as the answer.
  for (let times = 0; times < 2; times += 1)
    keeper.handle({ type: 'digest', isAnswer: true, sums: empty }, messenger, true, now)
  expect(sent).toMatchObject([
    [messenger.id, { type: 'members', members: { length: letters.length } }],
    [messenger.id, { type: 'digest', isAnswer: true }],
  ])
  // What differs later is told as ever.
  const sums = keeper.view.digest().map((sum) => sum + 1)
  sent.length = 0
  keeper.handle({ type: 'digest', isAnswer: true, sums }, messenger, true, now)
  expect(sent).toMatchObject([[messenger.id, { type: 'members' }]])
})
