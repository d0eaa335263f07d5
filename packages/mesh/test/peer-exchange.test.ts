import { expect, test } from '@jest/globals'
import type { Peer, PeerKind } from '@p2p/base'
import { SeededRandom } from '@p2p/base/sim'
import { idText, utf8Encode } from '@p2p/serializer'
import { isRequestAll, PeerExchange, readPeersList } from '../src/protocol/peer-exchange.ts'

const peer = (id: string, kind: PeerKind, host: string): Peer => ({
  id,
  link: 1,
  transport: 'tcp',
  kind,
  outgoing: true,
  address: `tcp://${host}:4444`,
  addresses: [`tcp://${host}:4444`],
  supports: () => false,
})

const at = (seconds: number): { monoMs: number; utcSeconds: number } => ({
  monoMs: 1_000 * seconds,
  utcSeconds: 1_900_000_000 + seconds,
})

const neighbours = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, index) => ({
  peer: peer(id, 'ours', `198.51.100.${index}`),
  remoteHost: undefined,
}))

const idsIn = (payload: readonly unknown[]): unknown[] =>
  (payload[1] as [unknown, unknown][]).map(([, id]) => id)

test('js2p hears of one peer, and of the same one while it may still be dialling it (observed.md 2)', () => {
  const random = new SeededRandom(1)
  const exchange = new PeerExchange((count) => random.bytes(count))
  const recipient = peer('js', 'js2p', '203.0.113.1')
  const told = [0, 1, 10, 149].map((seconds) =>
    idsIn(exchange.listFor(recipient, neighbours, [], at(seconds))),
  )
  expect(told[0]).toHaveLength(1)
  expect(new Set(told.map(String)).size).toBe(1)
  const later = Array.from({ length: 20 }, (_, count) =>
    idsIn(exchange.listFor(recipient, neighbours, [], at(150 * (count + 1)))).join(),
  )
  expect(new Set(later).size).toBeGreaterThan(1)
  const gone = neighbours.filter((neighbour) => neighbour.peer.id !== later.at(-1))
  expect(idsIn(exchange.listFor(recipient, gone, [], at(3_001)))).toEqual([])
})

test('py2p and our own nodes hear of everybody', () => {
  const random = new SeededRandom(1)
  const exchange = new PeerExchange((count) => random.bytes(count))
  for (const kind of ['py2p', 'ours'] as const) {
    const list = exchange.listFor(peer('x', kind, '203.0.113.1'), neighbours, [], at(0))
    expect(idsIn(list).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  }
})

test('an old peer is told of the other original first, of its own kind next, of ours last', () => {
  const random = new SeededRandom(1)
  const exchange = new PeerExchange((count) => random.bytes(count))
  const kinds = ['ours', 'py2p', 'js2p', 'ours', 'js2p', 'py2p'] as const
  const mixed = kinds.map((kind, index) => ({
    peer: peer(`${kind} ${index}`, kind, `198.51.100.${index}`),
    remoteHost: undefined,
  }))
  const toldTo = (kind: PeerKind): string[] =>
    idsIn(exchange.listFor(peer(`x ${kind}`, kind, '203.0.113.1'), mixed, [], at(0))).map((id) =>
      String(idText(id)).slice(0, 4),
    )
  expect(toldTo('py2p')).toEqual(['js2p', 'js2p', 'py2p', 'py2p', 'ours', 'ours'])
  expect(toldTo('js2p')).toEqual(['py2p'])
})

test('py2p is told an id in the form that the peer uses itself, or it would keep two of one link', () => {
  const random = new SeededRandom(1)
  const exchange = new PeerExchange((count) => random.bytes(count))
  const listed = [
    { peer: peer('a', 'ours', '198.51.100.1'), remoteHost: undefined },
    { peer: peer('b', 'py2p', '198.51.100.2'), remoteHost: undefined },
    { peer: peer('c', 'js2p', '198.51.100.3'), remoteHost: undefined },
  ]
  const ids = (kind: PeerKind): unknown[] =>
    idsIn(exchange.listFor(peer('x', kind, '203.0.113.1'), listed, [], at(0)))
  expect(new Set(ids('py2p'))).toEqual(new Set(['a', utf8Encode('b'), 'c']))
  expect(new Set(ids('ours'))).toEqual(new Set(['a', 'b', 'c']))
  expect(typeof ids('js2p')[0]).toBe('string')
})

test('a request for the list is answered, the next one only after a pause', () => {
  const exchange = new PeerExchange((count) => new Uint8Array(count))
  const asking = peer('x', 'py2p', '203.0.113.1')
  expect(exchange.mayAnswer(asking, at(0))).toBe(true)
  expect(exchange.mayAnswer(asking, at(0))).toBe(false)
  expect(exchange.mayAnswer(peer('y', 'py2p', '203.0.113.2'), at(0))).toBe(true)
  expect(exchange.mayAnswer(asking, at(60))).toBe(true)
  expect(exchange.ignoredRequests).toBe(1)
})

test('nobody is told of himself, of addresses he cannot dial, or of more than 64', () => {
  const exchange = new PeerExchange((count) => new Uint8Array(count))
  const local = { ...peer('local', 'ours', '127.0.0.1') }
  const secret = { ...peer('secret', 'ours', 'x'), address: undefined }
  const browser = { ...peer('browser', 'ours', '198.51.100.9'), address: 'ws://198.51.100.9:80' }
  const origins = [local, secret, browser, peer('x', 'ours', '203.0.113.1')].map((one) => ({
    peer: one,
    remoteHost: undefined,
  }))
  const known = [
    { id: 'x', address: 'tcp://203.0.113.1:1' },
    { id: 'known', address: 'tcp://198.51.100.3:1' },
  ]
  const far = peer('x', 'ours', '203.0.113.1')
  expect(idsIn(exchange.listFor(far, origins, known, at(0)))).toEqual(['known'])
  const near = peer('x', 'ours', '127.0.0.1')
  expect(idsIn(exchange.listFor(near, origins, [], at(0)))).toEqual(['local'])
  const crowd = Array.from({ length: 65 }, (_, index) => ({
    peer: peer(`n${index}`, 'ours', `198.51.100.${index}`),
    remoteHost: undefined,
  }))
  expect(idsIn(exchange.listFor(far, crowd, [], at(0)))).toHaveLength(64)
})

test('an old peer is told only of addresses that somebody has seen: ours by a dial or by its host', () => {
  const exchange = new PeerExchange((count) => new Uint8Array(count))
  const incoming = (id: string, remoteHost: string): (typeof claims)[number] => ({
    peer: { ...peer(id, 'ours', '198.51.100.1'), outgoing: false },
    remoteHost,
  })
  const claims: { readonly peer: Peer; readonly remoteHost: string | undefined }[] = []
  claims.push(incoming('true', '198.51.100.1'), incoming('false', '198.51.100.2'))
  expect(idsIn(exchange.listFor(peer('x', 'py2p', '203.0.113.1'), claims, [], at(0)))).toEqual([
    'true',
  ])
})

test('of a list what can be used is read: entries with an id and an address, 256 at most', () => {
  const good = [['198.51.100.1', 4444], 'n']
  const bad = ['n', [], [['198.51.100.1'], 'n'], [['198.51.100.1', 4444], 7]]
  const long = [['198.51.100.1', 4444], 'n'.repeat(129)]
  expect(readPeersList([8, [...bad, long, good]], 'tcp')).toEqual([
    { id: 'n', address: 'tcp://198.51.100.1:4444' },
  ])
  expect(readPeersList([8, 'list'], 'tcp')).toEqual([])
  expect(readPeersList([8, Array.from({ length: 257 }, () => good)], 'tcp')).toHaveLength(256)
})

test('a request for the list is one in text or bytes, and nothing else', () => {
  expect(isRequestAll([7, '*'])).toBe(true)
  expect(isRequestAll([7, utf8Encode('*')])).toBe(true)
  expect(isRequestAll([7, 'id'])).toBe(false)
  expect(isRequestAll([7, '*', 'id'])).toBe(false)
})
