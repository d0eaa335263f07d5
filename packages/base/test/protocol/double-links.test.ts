// Two links to one peer: who is asked, who stays, and what becomes of what came over the other.
import { describe, expect, test } from '@jest/globals'
import { createMessage, decodeFrame, flags } from '@p2p/serializer'
import { P2pError } from '../../src/protocol/errors.ts'
import { extensionMarker } from '../../src/protocol/handshake.ts'
import { controlFlag } from '../../src/protocol/hello.ts'
import {
  ascii,
  codes,
  connect,
  control,
  handshake,
  peerIds,
  rawOurs,
  whisper,
} from './peer-frames.ts'
import { Bench, type BenchNode } from './peers-bench.ts'

const nonceOf = (fill: number): Uint8Array => new Uint8Array(8).fill(fill)

/** The control messages that a node sent over a link: verb and nonce. */
function controls(node: BenchNode, link: number): (readonly [verb: unknown, nonce: unknown])[] {
  return (node.sent.get(link) ?? [])
    .map((frame) => decodeFrame(frame).payload)
    .filter(([flag]) => flag === controlFlag)
    .map(([, verb, nonce]) => [verb, nonce] as const)
}

/** Answers to the sign of life that a node asks old peers for. */
const requests = (node: BenchNode, link: number): number =>
  (node.sent.get(link) ?? []).filter((frame) => decodeFrame(frame).payload[0] === flags.request)
    .length

function say(node: BenchNode, link: number, bytes: Uint8Array): void {
  node.handle({ type: 'link-bytes', link, bytes })
}

describe('peers of ours', () => {
  test('the peer is asked on the first link whether the second is its own, by the nonce of that', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const first = rawOurs(bench, alice, 'B', { nonce: nonceOf(1) })
    rawOurs(bench, alice, 'B', { nonce: nonceOf(2) })
    expect(controls(alice, first)).toEqual([['claim', nonceOf(2)]])
  })

  test('of two that the peer dialled itself the smaller nonce stays, whichever came first', () => {
    for (const [firstNonce, secondNonce, survivor] of [
      [1, 2, 'first'],
      [2, 1, 'second'],
    ] as const) {
      const bench = new Bench()
      const alice = bench.add('A')
      const first = rawOurs(bench, alice, 'B', { nonce: nonceOf(firstNonce) })
      const second = rawOurs(bench, alice, 'B', { nonce: nonceOf(secondNonce) })
      const nonce = nonceOf(secondNonce)
      say(alice, first, control('B', { verb: 'claimed', nonce }))
      expect(alice.peers.peers.get('B')?.link).toBe(survivor === 'first' ? first : second)
      expect(codes(alice, 'close')).toEqual([])
      bench.advance(10_000)
      expect(alice.of('close').map(({ link }) => link)).toContain(
        survivor === 'first' ? second : first,
      )
    }
  })

  test('of two that we dialled one stays, and both callers have it', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    bench.nodes.set('alias', bob)
    connect(alice, 'memory://B', 1)
    connect(alice, 'memory://alias', 2)
    bench.advance(5_000)
    expect(alice.of('connected').map(({ request }) => request)).toEqual([1, 2])
    expect([alice.ends.size, bob.ends.size]).toEqual([1, 1])
    expect(bob.of('peer-closed')).toEqual([])
  })

  test('what the peer says it did not open is refused; an answer about another link decides nothing', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const first = rawOurs(bench, alice, 'B', { nonce: nonceOf(1) })
    const second = rawOurs(bench, alice, 'B', { nonce: nonceOf(2) })
    say(alice, first, control('B', { verb: 'unclaimed', nonce: nonceOf(3) }))
    expect(codes(alice, 'close')).toEqual([])
    say(alice, first, control('B', { verb: 'unclaimed', nonce: nonceOf(2) }))
    expect(alice.of('close').map(({ link }) => link)).toEqual([second])
    expect(peerIds(alice)).toEqual(['B'])
  })

  test('we claim the links that we opened, and no others', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = rawOurs(bench, alice, 'B')
    say(alice, link, control('B', { verb: 'claim', nonce: nonceOf(200) }))
    expect(controls(alice, link)).toEqual([['unclaimed', nonceOf(200)]])
  })

  test('a third link is refused while two are compared', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    rawOurs(bench, alice, 'B', { nonce: nonceOf(1) })
    rawOurs(bench, alice, 'B', { nonce: nonceOf(2) })
    const third = rawOurs(bench, alice, 'B', { nonce: nonceOf(3) })
    expect(alice.of('close').map(({ link }) => link)).toEqual([third])
    const instead = bench.rawLink(alice)
    say(alice, instead, handshake('B', [0x13, extensionMarker]))
    say(alice, instead, whisper('B', [2, 'instead of a hello']))
    expect(alice.of('close').map(({ link }) => link)).toEqual([third, instead])
    expect(alice.of('peer-message')).toEqual([])
  })

  test('the first link ends meanwhile: the second takes its place, with up to 64 messages', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const first = rawOurs(bench, alice, 'B', { nonce: nonceOf(1) })
    const second = rawOurs(bench, alice, 'B', { nonce: nonceOf(2) })
    for (let number = 0; number < 65; number += 1) say(alice, second, whisper('B', [2, number]))
    expect(alice.of('peer-message')).toEqual([])
    bench.cut(alice, first)
    expect(alice.of('peer-closed')).toHaveLength(1)
    expect(alice.of('peer-open')).toHaveLength(2)
    expect(alice.of('peer-message').map(({ message }) => message.payload[1])).toEqual(
      Array.from({ length: 64 }, (_, number) => number),
    )
    expect(alice.peers.peers.get('B')?.link).toBe(second)
  })

  test('the second link ends meanwhile: nothing happened', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    rawOurs(bench, alice, 'B', { nonce: nonceOf(1) })
    bench.cut(alice, rawOurs(bench, alice, 'B', { nonce: nonceOf(2) }))
    expect(alice.of('peer-closed')).toEqual([])
    const third = rawOurs(bench, alice, 'B', { nonce: nonceOf(3) })
    expect(alice.of('close').map(({ link }) => link)).not.toContain(third)
  })
})

describe('old peers', () => {
  test('a sign of life on the first link refuses the second', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const first = bench.rawLink(alice)
    say(alice, first, handshake('Js'))
    const second = bench.rawLink(alice)
    say(alice, second, handshake('Js'))
    expect(requests(alice, first)).toBe(1)
    say(alice, second, handshake('Js')) // names itself once more, and is still not the peer
    expect(alice.of('peer-updated')).toEqual([])
    say(alice, first, whisper('Js', [8, []]))
    expect(alice.of('close').map(({ link }) => link)).toEqual([second])
  })

  test('one of ours beside an old peer of the same id: the first link is asked by a ping', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const first = rawOurs(bench, alice, 'B')
    const second = bench.rawLink(alice)
    say(alice, second, handshake('B'))
    expect(controls(alice, first).map(([verb]) => verb)).toEqual(['ping'])
    say(alice, first, control('B', { verb: 'pong', nonce: new Uint8Array(8) }))
    expect(alice.of('close').map(({ link }) => link)).toEqual([second])
  })

  test('its dial crosses a link of ours that stands already: both go, and nobody dials again', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const timeoutMs = 5_000
    const request = { request: 1, address: 'tcp://h:1', expectedId: undefined, timeoutMs }
    const [dialled] = alice.handle({ type: 'connect', ...request })
    const dial = dialled?.type === 'dial' ? dialled.dial : -1
    const outgoing = bench.rawLink(alice, { dial })
    say(alice, outgoing, handshake(ascii('Py')))
    say(alice, bench.rawLink(alice), handshake(ascii('Py')))
    expect(codes(alice, 'close')).toEqual(['P2P_CROSSED_LINKS', 'P2P_CROSSED_LINKS'])
    expect(alice.peers.nextDeadline()).toBe(Infinity)
  })
})

test('a message to somebody who is no peer goes nowhere', () => {
  const bench = new Bench()
  const alice = bench.add('A')
  const message = createMessage({ type: 2, sender: 'A', time: 1, payload: [2, 'x'] })
  const effects = alice.handle({ type: 'send-message', peer: 'B', message, priority: 'own' })
  expect(effects).toEqual([])
})

test('every link to a peer that is sent away ends, also one that waits for its place', () => {
  const bench = new Bench()
  const alice = bench.add('A')
  const links = [1, 2].map((fill) => rawOurs(bench, alice, 'B', { nonce: nonceOf(fill) }))
  const other = rawOurs(bench, alice, 'C')
  const reason = new P2pError('P2P_TEST', 'for the test')
  alice.handle({ type: 'disconnect', peer: 'B', reason })
  expect(
    alice
      .of('close')
      .map(({ link }) => link)
      .sort(),
  ).toEqual(links)
  expect(alice.of('close').map(({ link }) => link)).not.toContain(other)
  expect(peerIds(alice)).toEqual(['C'])
})
