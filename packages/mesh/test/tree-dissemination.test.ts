import { expect, test } from '@jest/globals'
import type { Peer } from '@p2p/base'
import { createMessage, flags, type WireMessage } from '@p2p/serializer'
import { decodeTreeControl, encodeTreeControl } from '../src/protocol/tree-control.ts'
import { TreeDissemination, type TreeLimits } from '../src/protocol/tree-dissemination.ts'
import { idsOf, inChunk } from './tree-fixtures.ts'

const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({
  monoMs,
  utcSeconds: 1_500_000_000,
})

function peer(id: string, outgoing: boolean): Peer {
  return {
    id,
    link: 1,
    transport: 'tcp',
    kind: 'ours',
    outgoing,
    address: undefined,
    addresses: [],
    supports: () => true,
  }
}

function whisper(payload: Parameters<typeof createMessage>[0]['payload']): WireMessage {
  return createMessage({ type: flags.whisper, sender: 'me', time: 1_500_000_000, payload })
}

function broadcast(text: string, sender = 'far'): WireMessage {
  const payload = [flags.broadcast, text]
  return createMessage({ type: flags.broadcast, sender, time: 1_500_000_000, payload })
}

const none = idsOf()
const control = (lists: {
  announced?: Uint8Array
  pruned?: Uint8Array
  wanted?: Uint8Array
}): WireMessage =>
  whisper(
    encodeTreeControl({ announced: none, wanted: none, pruned: none, sinceSeconds: 0, ...lists }),
  )

const sinceLongAgo = encodeTreeControl({
  announced: none,
  wanted: none,
  pruned: none,
  sinceSeconds: 60,
})

/** A node with one neighbour upstream and one to which the link is lazy. */
function withLazyNeighbour(
  isDialler: boolean,
  randomByte = 0,
  limits: Partial<TreeLimits> = {},
): {
  readonly tree: TreeDissemination
  readonly lazy: Peer
  readonly announce: (text: string, monoMs: number) => Uint8Array
} {
  const tree = new TreeDissemination({
    ownId: 'me',
    random: (count) => new Uint8Array(count).fill(randomByte),
    compose: whisper,
    wasSeen: () => false,
    limits,
  })
  const upstream = peer('upstream', true)
  const lazy = peer('lazy', isDialler)
  for (const neighbour of [upstream, lazy]) tree.addNeighbour(neighbour, at(0))
  const announce = (text: string, monoMs: number): Uint8Array => {
    const message = broadcast(text)
    tree.spread(message, upstream, at(monoMs))
    return idsOf(message)
  }
  // The first message travels on the shared tree, the second begins the sender's own.
  for (const text of ['1', '2']) {
    tree.handleControl(control({ pruned: announce(text, 0) }), lazy, at(0))
  }
  return { tree, lazy, announce }
}

test('the end that dialled announces after 40 ms, the other end after 140 ms', () => {
  for (const [isDialler, afterMs] of [
    [true, 40],
    [false, 140],
  ] as const) {
    const { tree, announce } = withLazyNeighbour(isDialler)
    const key = announce('3', 1_000)
    expect(tree.nextDeadline()).toBe(1_000 + afterMs)
    expect(tree.handleDeadline(at(999 + afterMs))).toEqual([])
    const copies = tree.handleDeadline(at(1_000 + afterMs))
    expect(copies.map(({ peer: id, priority }) => [id, priority])).toEqual([['lazy', 'announce']])
    expect(decodeTreeControl(copies[0]?.message.payload ?? [])?.announced).toEqual(key)
    expect(tree.nextDeadline()).toBe(Infinity)
  }
})

test('what a neighbour has announced meanwhile is not announced back, the rest is in its own time', () => {
  const { tree, lazy, announce } = withLazyNeighbour(false)
  const known = announce('3', 1_000)
  const news = announce('4', 1_010)
  tree.handleControl(control({ announced: known }), lazy, at(1_050))
  expect(tree.nextDeadline()).toBe(1_150)
  const [copy] = tree.handleDeadline(at(1_150))
  expect(decodeTreeControl(copy?.message.payload ?? [])?.announced).toEqual(news)
})

/** Whom a node tells of a message that came from `upstream`, when its links to all others are lazy. */
function announcedTo(ownId: string, others: readonly string[]): ReadonlySet<string> {
  const tree = new TreeDissemination({
    ownId,
    random: (count) => new Uint8Array(count),
    compose: whisper,
    wasSeen: () => false,
    limits: { maxLazyLinks: 12 },
  })
  const [upstream, ...lazy] = ['upstream', ...others].map((id) => peer(id, true))
  for (const neighbour of [upstream, ...lazy]) if (neighbour) tree.addNeighbour(neighbour, at(0))
  const message = broadcast('1')
  tree.spread(message, upstream, at(0))
  for (const neighbour of lazy) {
    tree.handleControl(control({ pruned: idsOf(message) }), neighbour, at(0))
  }
  tree.spread(broadcast('2', 'another sender'), upstream, at(0))
  return new Set(tree.handleDeadline(at(1_000)).map((copy) => copy.peer))
}

test('of many links without payload some announce, the same at both ends', () => {
  const ids = Array.from({ length: 60 }, (_, index) => `node ${index}`)
  const told = new Map(
    ids.map((own) => [
      own,
      announcedTo(
        own,
        ids.filter((id) => id !== own),
      ),
    ]),
  )
  const counts = [...told.values()].map(({ size }) => size)
  const mean = counts.reduce((sum, count) => sum + count, 0) / ids.length
  expect(mean).toBeGreaterThan(9)
  expect(mean).toBeLessThan(15)
  const toldBy = (id: string): string[] => ids.filter((other) => told.get(other)?.has(id))
  for (const id of ids) expect([...(told.get(id) ?? [])].sort()).toEqual(toldBy(id).sort())
})

test('of few links without payload all announce', () => {
  const ids = Array.from({ length: 11 }, (_, index) => `node ${index}`)
  expect(announcedTo('own', ids)).toEqual(new Set(ids))
})

test('when a neighbour knows everything already, nothing is left to wait for', () => {
  const { tree, lazy, announce } = withLazyNeighbour(false)
  const key = announce('3', 1_000)
  tree.handleControl(control({ announced: key }), lazy, at(1_050))
  expect(tree.nextDeadline()).toBe(Infinity)
  expect(tree.handleDeadline(at(2_000))).toEqual([])
})

test('nodes announce at different moments, up to 40 ms apart', () => {
  const { tree, announce } = withLazyNeighbour(true, 128)
  announce('3', 1_000)
  expect(tree.nextDeadline()).toBe(1_060)
})

test('what was missed for long comes in several announcements, each of which an older node reads', () => {
  const { tree } = withLazyNeighbour(true)
  const upstream = peer('upstream', true)
  for (let number = 0; number < 2_500; number += 1) {
    tree.spread(broadcast(`m${number}`), upstream, at(100 + number / 100))
  }
  const late = peer('late', true)
  tree.addNeighbour(late, at(5_000))
  const first = tree.handleControl(whisper(sinceLongAgo), late, at(5_000))
  const rest = [tree.handleDeadline(at(5_000)), tree.handleDeadline(at(5_000))].flat()
  const counts = [...first, ...rest]
    .filter((copy) => copy.peer === 'late')
    .map(({ message }) => (decodeTreeControl(message.payload)?.announced.length ?? 0) / 16)
  expect(counts).toEqual([1_024, 1_024, 2_502 - 2_048])
})

test('a message that is no longer kept leaves no deadline that has passed', () => {
  const { tree, announce } = withLazyNeighbour(true, 0, { maxRecentMessages: 1 })
  announce('a', 1_000)
  expect(tree.nextDeadline()).toBe(1_040)
  announce('b', 1_030)
  tree.handleDeadline(at(1_040))
  expect(tree.nextDeadline()).toBe(1_070)
  expect(tree.handleDeadline(at(1_070))).toHaveLength(1)
  expect(tree.nextDeadline()).toBe(Infinity)
})

test('a message is kept for others without the chunk that it came in', () => {
  const { tree, lazy } = withLazyNeighbour(true)
  const message = inChunk(broadcast('small'))
  tree.spread(message, peer('upstream', true), at(1_000))
  const [copy] = tree.handleControl(control({ wanted: idsOf(message) }), lazy, at(1_010))
  expect(copy?.message.id).toEqual(message.id)
  expect(copy?.message.body.buffer.byteLength).toBeLessThan(1_000)
})

test('on a quiet network, too, messages are kept for a minute', () => {
  const { tree, announce } = withLazyNeighbour(true)
  announce('3', 1_000)
  tree.handleDeadline(at(61_000))
  expect(tree.counters().recentMessages).toBe(1)
  tree.handleDeadline(at(61_001))
  expect(tree.counters()).toMatchObject({ recentMessages: 0, recentBytes: 0 })
})

test('a message that is too large to be kept goes on, is not announced, and pushes out no other', () => {
  const { tree, announce } = withLazyNeighbour(true, 0, { maxRecentBytes: 10_000 })
  const eager = peer('eager', true)
  tree.addNeighbour(eager, at(500))
  tree.handleDeadline(at(900))
  announce('3', 900)
  tree.handleDeadline(at(1_000))
  const before = tree.counters()
  const copies = tree.spread(broadcast('x'.repeat(10_000)), peer('upstream', true), at(1_000))
  expect(copies.map((copy) => copy.peer)).toEqual(['eager'])
  expect(tree.nextDeadline()).toBe(Infinity)
  const { recentMessages, recentBytes, announcements } = before
  expect(recentMessages).toBe(3)
  expect(tree.counters()).toMatchObject({ recentMessages, recentBytes, announcements })
})
