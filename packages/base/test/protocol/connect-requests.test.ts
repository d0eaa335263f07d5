// Dials of a node, their callers, and what becomes of either when the other is gone.
import { describe, expect, test } from '@jest/globals'
import { P2pError } from '../../src/protocol/errors.ts'
import { codes, connect, handshake } from './peer-frames.ts'
import { Bench, type BenchNode } from './peers-bench.ts'

/** Somewhere nobody answers before the test does. */
const address = 'tcp://h:1'

/** The dials of a node so far, which leaves those to real addresses to the test. */
function dialOf(node: BenchNode, request: number, expectedId?: string): number {
  const timeoutMs = 5_000
  const effects = node.handle({ type: 'connect', request, address, expectedId, timeoutMs })
  return effects.find((effect) => effect.type === 'dial')?.dial ?? -1
}

const failures = (node: BenchNode): (readonly [number, string])[] =>
  node.of('connect-failed').map(({ request, error }) => [request, error.code] as const)

describe('who waits for a dial', () => {
  test('one who cancels leaves the dial to the others', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const dial = dialOf(alice, 1)
    dialOf(alice, 2)
    expect(alice.handle({ type: 'cancel-connect', request: 1 })).toEqual([])
    const link = bench.rawLink(alice, { dial })
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    expect(alice.of('connected').map(({ request }) => request)).toEqual([2])
  })

  test('one who has more time than the dial it joined gets another dial, with the time left', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const expectedId = undefined
    const timedOut = new P2pError('P2P_DIAL_TIMEOUT', 'no answer')
    for (const [request, timeoutMs] of [400, 8_000, 3_000].entries()) {
      alice.handle({ type: 'connect', request, address, expectedId, timeoutMs })
    }
    bench.advance(400)
    expect(failures(alice)).toEqual([[0, 'P2P_DIAL_TIMEOUT']])
    expect(alice.handle({ type: 'dial-failed', dial: 1, error: timedOut })).toEqual([
      { type: 'dial', dial: 2, address, timeoutMs: 7_600 },
    ])
    const link = bench.rawLink(alice, { dial: 2 })
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    expect(alice.of('connected').map(({ request }) => request)).toEqual([1, 2])
    expect(alice.peers.nextDeadline()).toBe(Infinity)
  })

  test('nobody gets another dial who had as much time as the dial, or when it failed otherwise', () => {
    const refused = new P2pError('P2P_CONNECTION_REFUSED', 'nobody there')
    const timedOut = new P2pError('P2P_DIAL_TIMEOUT', 'no answer')
    for (const [error, timesMs] of [
      [timedOut, [5_000, 5_000, 300]],
      [refused, [300, 5_000]],
    ] as const) {
      const bench = new Bench()
      const alice = bench.add('A')
      for (const [request, timeoutMs] of timesMs.entries()) {
        alice.handle({ type: 'connect', request, address, expectedId: undefined, timeoutMs })
      }
      alice.handle({ type: 'dial-failed', dial: 1, error })
      expect(failures(alice)).toEqual(timesMs.map((_, request) => [request, error.code]))
      expect(alice.peers.nextDeadline()).toBe(Infinity)
    }
  })

  test('each gets the answer that its expected id deserves', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const dial = dialOf(alice, 1, 'Js')
    dialOf(alice, 2, 'Other')
    const link = bench.rawLink(alice, { dial })
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    expect(alice.of('connected').map(({ request }) => request)).toEqual([1])
    expect(failures(alice)).toEqual([[2, 'P2P_ID_MISMATCH']])
  })

  test('one who waits too long is told how far it came', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    dialOf(alice, 1)
    bench.advance(5_000)
    expect(failures(alice)).toEqual([[1, 'P2P_DIAL_TIMEOUT']])
  })

  test('what is known of no request and of no dial changes nothing', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const error = new P2pError('P2P_CONNECTION_REFUSED', 'nobody there')
    expect(alice.handle({ type: 'cancel-connect', request: 7 })).toEqual([])
    expect(alice.handle({ type: 'dial-failed', dial: 7, error })).toEqual([])
    expect(alice.handle({ type: 'link-held', link: 7, byteCount: 9 })).toEqual([])
    expect(alice.handle({ type: 'link-bytes', link: 7, bytes: handshake('Js') })).toEqual([])
  })
})

describe('a dial that nobody waits for any more', () => {
  test('is taken back; a link that comes of it all the same is closed', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const dial = dialOf(alice, 1)
    alice.handle({ type: 'cancel-connect', request: 1 })
    bench.rawLink(alice, { dial })
    expect(codes(alice, 'close')).toEqual(['P2P_CANCELLED'])
    expect(alice.peers.counters().links).toBe(0)
  })

  test('is closed in the middle of its handshake', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    bench.rawLink(alice, { dial: dialOf(alice, 1) })
    alice.handle({ type: 'cancel-connect', request: 1 })
    expect(codes(alice, 'close')).toEqual(['P2P_CANCELLED'])
    expect(failures(alice)).toEqual([])
  })

  test('is not made again after links have crossed', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const incoming = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link: incoming, bytes: handshake('Js') })
    const outgoing = bench.rawLink(alice, { dial: dialOf(alice, 1) })
    alice.handle({ type: 'link-bytes', link: outgoing, bytes: handshake('Js') })
    expect(codes(alice, 'close')).toEqual(['P2P_CROSSED_LINKS', 'P2P_CROSSED_LINKS'])
    expect(alice.handle({ type: 'cancel-connect', request: 1 })).toEqual([])
    expect(alice.peers.nextDeadline()).toBe(Infinity)
  })
})

describe('somebody who is connected already', () => {
  test('is found by the address that was dialled, the one it names, and its id', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    bench.nodes.set('alias', bob)
    connect(alice, 'memory://alias', 1)
    bench.settle()
    connect(alice, 'memory://alias', 2)
    connect(alice, 'memory://B', 3)
    connect(alice, 'memory://nowhere', 4, 'B')
    bench.settle()
    expect(alice.of('connected').map(({ request }) => request)).toEqual([1, 2, 3, 4])
    expect(bob.of('peer-open')).toHaveLength(1)
  })

  test('is not taken for another', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    bench.add('B')
    connect(alice, 'memory://B', 1)
    bench.settle()
    connect(alice, 'memory://B', 2, 'C')
    expect(failures(alice)).toEqual([[2, 'P2P_ID_MISMATCH']])
  })
})
