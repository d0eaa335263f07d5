import { expect, test } from '@jest/globals'
import type { Peer, PeerKind } from '@p2p/base'
import { SeededRandom } from '@p2p/base/sim'
import { utf8Encode } from '@p2p/serializer'
import { PeerExchange } from '../src/protocol/peer-exchange.ts'

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
