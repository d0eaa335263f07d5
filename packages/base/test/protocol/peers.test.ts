import { describe, expect, test } from '@jest/globals'
import { createMessage, encodeFrame, flags } from '@p2p/serializer'
import { extensionMarker } from '../../src/protocol/handshake.ts'
import {
  ascii,
  codes,
  connect,
  handshake,
  hello,
  peerIds,
  plainNetwork,
  whisper,
} from './peer-frames.ts'
import { Bench } from './peers-bench.ts'

describe('Peers: connecting', () => {
  test('two nodes of ours become peers of each other, with the features that both named', () => {
    const bench = new Bench()
    const alice = bench.add('A', { features: ['tree', 'only-a'] })
    const bob = bench.add('B', { features: ['tree'] })
    connect(alice, 'memory://B')
    bench.settle()
    const [connected] = alice.of('connected')
    expect(connected?.peer).toMatchObject({
      id: 'B',
      kind: 'ours',
      outgoing: true,
      address: 'memory://B',
    })
    expect(connected?.peer.supports('tree')).toBe(true)
    expect(connected?.peer.supports('only-a')).toBe(false)
    expect(peerIds(bob)).toEqual(['A'])
    expect(bob.of('peer-open')[0]?.peer).toMatchObject({ outgoing: false, address: 'memory://A' })
  })

  test('a message reaches the other end as it was', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(alice, 'memory://B')
    bench.settle()
    const message = createMessage({
      type: 0,
      sender: 'A',
      time: 1_500_000_000,
      payload: [0, 'x'.repeat(5_000)],
    })
    alice.handle({ type: 'send-message', peer: 'B', message, priority: 'own' })
    bench.settle()
    expect(bob.of('peer-message').map((event) => event.message.body)).toEqual([message.body])
  })

  test('several callers share one dial, a later one gets the open peer', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(alice, 'memory://B', 1)
    connect(alice, 'memory://B', 2)
    bench.settle()
    connect(alice, 'memory://B', 3)
    expect(alice.of('connected').map((event) => event.request)).toEqual([1, 2, 3])
    expect(bob.of('peer-open')).toHaveLength(1)
  })

  test.each([
    ['a closed port', 'memory://nobody', 'P2P_CONNECTION_REFUSED'],
    ['no address at all', 'nonsense', 'P2P_BAD_ADDRESS'],
    ['the own address', 'memory://A', 'P2P_SELF'],
  ])('%s fails with its own code', (_case, address, code) => {
    const bench = new Bench()
    const alice = bench.add('A')
    connect(alice, address)
    bench.settle()
    expect(alice.of('connect-failed').map((event) => event.error.code)).toEqual([code])
    expect(alice.peers.nextDeadline()).toBe(Infinity)
  })

  test('another subnet fails on both ends, after both handshakes were sent', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const other = bench.add('B', { subnet: 'other' })
    connect(alice, 'memory://B')
    bench.settle()
    expect(alice.of('connect-failed')[0]?.error.code).toBe('P2P_WRONG_NETWORK')
    expect(codes(other, 'close')).toEqual(['P2P_WRONG_NETWORK'])
    expect([...other.sent.values()].flat()).toHaveLength(1)
  })

  test('an own alias is recognised by the id', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    bench.nodes.set('alias', alice)
    connect(alice, 'memory://alias')
    bench.settle()
    expect(alice.of('connect-failed')[0]?.error.code).toBe('P2P_SELF')
    expect(alice.ends.size).toBe(0)
  })

  test('another id than the expected one is refused', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    bench.add('B')
    connect(alice, 'memory://B', 1, 'C')
    bench.settle()
    expect(alice.of('connect-failed')[0]?.error.code).toBe('P2P_ID_MISMATCH')
    expect(peerIds(alice)).toEqual([])
  })

  test('a silent port, one that hangs up, and one that speaks something else are told apart', () => {
    for (const [answer, code] of [
      [undefined, 'P2P_HANDSHAKE_TIMEOUT'],
      ['hang up', 'P2P_CLOSED_IN_HANDSHAKE'],
      [ascii('HTTP/1.1 400 Bad Request\r\n\r\n'), 'P2P_NOT_P2P'],
      [Uint8Array.of(0, 0, 0, 40, ...new Uint8Array(40)), 'P2P_NOT_P2P'],
    ] as const) {
      const bench = new Bench()
      const alice = bench.add('A')
      const effects = alice.handle({
        type: 'connect',
        request: 1,
        address: 'tcp://h:1',
        expectedId: undefined,
        timeoutMs: 5_000,
      })
      const dial = effects.find((effect) => effect.type === 'dial')?.dial ?? -1
      const link = bench.rawLink(alice, { dial })
      if (answer instanceof Uint8Array) alice.handle({ type: 'link-bytes', link, bytes: answer })
      if (answer === 'hang up') bench.cut(alice, link)
      bench.advance(5_000)
      expect(alice.of('connect-failed').map((event) => event.error.code)).toEqual([code])
      expect(alice.peers.nextDeadline()).toBe(Infinity)
    }
  })

  test('a cancelled request is not answered, and its dial is taken back', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    connect(alice, 'tcp://h:1')
    const effects = alice.handle({ type: 'cancel-connect', request: 1 })
    expect(effects).toEqual([{ type: 'cancel-dial', dial: 1 }])
    expect(alice.peers.nextDeadline()).toBe(Infinity)
  })
})

describe('Peers: links that others open', () => {
  test('a link without a handshake is closed after the stated time', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    bench.rawLink(alice)
    bench.advance(9_999)
    expect(codes(alice, 'close')).toEqual([])
    bench.advance(1)
    expect(codes(alice, 'close')).toEqual(['P2P_HANDSHAKE_TIMEOUT'])
  })

  test.each([
    ['py2p', ascii('Py'), [0x20, 0x13, 0x11, 0x10, 0x12]],
    ['js2p', 'Js', [0x13, 0x11]],
    ['unknown', 'Third', [0x13, 0x40]],
    ['ours', 'Ts', [0x13, 0x11, extensionMarker]],
  ])('%s is recognised by its handshake', (kind, id, methods) => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake(id, methods) })
    bench.advance(2_000)
    expect(alice.of('peer-open').map((event) => event.peer.kind)).toEqual([kind])
    expect(peerIds(alice)).toEqual([typeof id === 'string' ? id : 'Py'])
  })

  test('a plain node sends no marker and no hello', () => {
    const bench = new Bench()
    const alice = bench.add('A', { extensions: false })
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Ts', [0x13, extensionMarker]) })
    expect(alice.sent.get(link)).toHaveLength(1)
    expect(peerIds(alice)).toEqual(['Ts'])
  })

  test.each([
    ['an id that is no base58', whisper('s', [5, 'l0O', plainNetwork, [null, null], []])],
    ['an id of another type', whisper('s', [5, 7, plainNetwork, [null, null], []])],
    ['no address array', whisper('s', [5, 'S', plainNetwork, null, []])],
    ['no method list', whisper('s', [5, 'S', plainNetwork, ['h', 1], null])],
  ])('a handshake with %s closes the link', (_case, bytes) => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes })
    expect(codes(alice, 'close')).toEqual(['P2P_BAD_HANDSHAKE'])
  })

  test('nothing but a handshake counts before the handshake, and chord meta is kept for later', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: whisper('Js', [5, '1']) })
    alice.handle({ type: 'link-bytes', link, bytes: whisper('Js', [2, 'too early']) })
    const broadcast = createMessage({
      type: 0,
      sender: 'Js',
      time: 1_500_000_000,
      payload: [5, 'Js', plainNetwork, ['h', 1], []],
    })
    alice.handle({ type: 'link-bytes', link, bytes: encodeFrame(broadcast) })
    expect(peerIds(alice)).toEqual([])
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    expect(peerIds(alice)).toEqual(['Js'])
    expect(alice.of('peer-message').map((event) => event.message.payload)).toEqual([[5, '1']])
  })

  test('a second handshake refreshes the peer; one with another id ends the link', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    alice.handle({
      type: 'link-bytes',
      link,
      bytes: whisper('Js', [5, 'Js', plainNetwork, ['10.1.1.1', 5], []]),
    })
    expect(alice.of('peer-updated').map((event) => event.peer.address)).toEqual([
      'memory://10.1.1.1',
    ])
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Eve') })
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_ID_CHANGED'])
  })

  test('whoever is above the limit of silent links goes, the longest waiting first', () => {
    const bench = new Bench()
    const alice = bench.add('A', { limits: { maxPendingLinks: 3, maxPendingLinksPerHost: 9 } })
    for (let index = 0; index < 5; index += 1)
      bench.rawLink(alice, { remote: `tcp://10.0.0.${index}:1` })
    expect(codes(alice, 'close')).toEqual([])
    bench.advance(500)
    expect(alice.of('close').map((event) => event.link)).toEqual([1, 2])
    expect(codes(alice, 'close')).toEqual(['P2P_TOO_MANY_LINKS', 'P2P_TOO_MANY_LINKS'])
  })

  test('of many that came before anybody was a peer, only so many become peers', () => {
    const bench = new Bench()
    const alice = bench.add('A', { limits: { maxPeers: 2 } })
    const ids = ['Ja', 'Jb', 'Jc', 'Jd']
    const links = ids.map(() => bench.rawLink(alice))
    ids.forEach((id, index) => {
      alice.handle({ type: 'link-bytes', link: links[index] ?? -1, bytes: handshake(id) })
    })
    expect(peerIds(alice)).toEqual(['Ja', 'Jb'])
    expect(codes(alice, 'close')).toEqual(['P2P_TOO_MANY_LINKS', 'P2P_TOO_MANY_LINKS'])
    expect(alice.peers.counters()).toMatchObject({ links: 2, refusedLinks: 2 })
    // Whom we dialled ourselves is welcome all the same.
    connect(alice, 'tcp://h:1')
    const outgoing = bench.rawLink(alice, { dial: 1 })
    alice.handle({ type: 'link-bytes', link: outgoing, bytes: handshake('Je') })
    expect(peerIds(alice)).toEqual(['Ja', 'Jb', 'Je'])
  })

  test('one host has fewer silent links than all together', () => {
    const bench = new Bench()
    const alice = bench.add('A', {
      limits: { maxPendingLinksPerHost: 2, maxAcceptsPerSecondPerHost: 99 },
    })
    for (let index = 0; index < 4; index += 1)
      bench.rawLink(alice, { remote: `tcp://10.0.0.1:${index + 1}` })
    bench.rawLink(alice, { remote: 'tcp://10.0.0.2:1' })
    bench.advance(500)
    expect(alice.of('close').map((event) => event.link)).toEqual([1, 2])
  })
})

describe('Peers: bytes', () => {
  test('a whole conversation cut into single bytes is understood', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    const stream = [...handshake('Js'), ...whisper('Js', [2, 'hello'])]
    for (const byte of stream)
      alice.handle({ type: 'link-bytes', link, bytes: Uint8Array.of(byte) })
    expect(alice.of('peer-message').map((event) => event.message.payload)).toEqual([[2, 'hello']])
  })

  test('a half frame has ten seconds, and then has to keep its pace', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    alice.handle({
      type: 'link-bytes',
      link,
      bytes: Uint8Array.of(0, 1, 0, 0, ...new Uint8Array(2_044)),
    })
    bench.advance(11_999)
    expect(peerIds(alice)).toEqual(['Js'])
    bench.advance(1)
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_FRAME_TOO_SLOW'])
  })

  test('a wrong checksum closes the link, a message without a sub-flag is ignored', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake('Js') })
    alice.handle({ type: 'link-bytes', link, bytes: whisper('Js', []) })
    expect(peerIds(alice)).toEqual(['Js'])
    const bad = whisper('Js', [2, 'x'])
    bad[10] = (bad[10] ?? 0) ^ 1
    alice.handle({ type: 'link-bytes', link, bytes: bad })
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_BAD_FRAME'])
  })

  test('renegotiation replaces the methods and is answered once, to py2p only', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const renegotiate = encodeFrame(
      createMessage({
        type: 1,
        sender: ascii('Py'),
        time: 1_500_000_000,
        payload: [flags.compression, [0x13]],
      }),
    )
    for (const [id, answers] of [
      [ascii('Py'), 1],
      ['Js', 0],
    ] as const) {
      const link = bench.rawLink(alice)
      alice.handle({ type: 'link-bytes', link, bytes: handshake(id, [0x20, 0x13]) })
      const before = alice.sent.get(link)?.length ?? 0
      alice.handle({ type: 'link-bytes', link, bytes: renegotiate })
      alice.handle({ type: 'link-bytes', link, bytes: renegotiate })
      expect((alice.sent.get(link)?.length ?? 0) - before).toBe(answers)
    }
  })

  test('"send it again" repeats the last message as it was, once', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake(ascii('Py')) })
    const message = createMessage({
      type: 0,
      sender: 'A',
      time: 1_500_000_000,
      payload: [0, 'again'],
    })
    alice.handle({ type: 'send-message', peer: 'Py', message, priority: 'own' })
    const resend = encodeFrame(
      createMessage({ type: 1, sender: 'Py', time: 1, payload: [flags.resend] }),
    )
    alice.handle({ type: 'link-bytes', link, bytes: resend })
    alice.handle({ type: 'link-bytes', link, bytes: resend })
    expect(alice.sent.get(link)?.slice(1)).toEqual([encodeFrame(message), encodeFrame(message)])
  })

  test('nothing is kept for, or sent again to, our own kind, which never asks', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(alice, 'memory://B')
    bench.settle()
    const time = 1_500_000_000
    const message = createMessage({ type: 0, sender: 'A', time, payload: [0, 'once'] })
    alice.handle({ type: 'send-message', peer: 'B', message, priority: 'own' })
    const resend = createMessage({ type: 1, sender: 'B', time, payload: [flags.resend] })
    bob.handle({ type: 'send-message', peer: 'A', message: resend, priority: 'own' })
    bench.settle()
    expect(bob.of('peer-message')).toHaveLength(1)
    expect(alice.peers.counters().ignoredMessages).toBe(1)
  })

  test('a hello that is late opens no peer, but tells what the open one supports', () => {
    const bench = new Bench()
    const alice = bench.add('A', { features: ['tree'] })
    const link = bench.rawLink(alice)
    const greeting = handshake('B', [0x13, extensionMarker])
    alice.handle({ type: 'link-bytes', link, bytes: greeting })
    bench.advance(2_000)
    expect(alice.of('peer-open')[0]?.peer.supports('tree')).toBe(false)
    const late = hello('B', new Uint8Array(8).fill(7), ['tree'])
    alice.handle({ type: 'link-bytes', link, bytes: late })
    alice.handle({ type: 'link-bytes', link, bytes: late })
    expect(alice.of('peer-open')).toHaveLength(1)
    expect(alice.of('peer-updated')).toHaveLength(1)
    expect(alice.of('peer-updated')[0]?.peer.supports('tree')).toBe(true)
  })

  test('answers before the hello stay within ten times what came in plus the allowance', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const link = bench.rawLink(alice)
    const bytes = handshake('Js')
    alice.handle({ type: 'link-bytes', link, bytes })
    const answer = createMessage({
      type: 2,
      sender: 'A',
      time: 1,
      payload: [7, new Uint8Array(10_000)],
    })
    const sentBefore = alice.sent.get(link)?.length ?? 0
    for (let index = 0; index < 50; index += 1) {
      alice.handle({ type: 'send-message', peer: 'Js', message: answer, priority: 'control' })
    }
    const sentBytes = (alice.sent.get(link) ?? []).slice(sentBefore).length * answer.body.length
    expect(sentBytes).toBeGreaterThan(0)
    expect(sentBytes).toBeLessThanOrEqual(10 * bytes.length + 65_536)
  })
})

describe('Peers: two links to one id', () => {
  test('nodes of ours that dial each other at once end with one and the same link', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(alice, 'memory://B')
    connect(bob, 'memory://A')
    bench.advance(5_000)
    expect(alice.of('connected')).toHaveLength(1)
    expect(bob.of('connected')).toHaveLength(1)
    expect(alice.of('peer-closed')).toEqual([])
    expect(bob.of('peer-closed')).toEqual([])
    expect(alice.ends.size).toBe(1)
    const link = alice.peers.peers.get('B')?.link ?? -1
    expect(alice.ends.get(link)?.link).toBe(bob.peers.peers.get('A')?.link)
    expect(alice.peers.peers.get('B')?.outgoing).toBe(true)
  })

  test('a stranger who claims the id of an open peer is refused, and the peer stays', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(bob, 'memory://A')
    bench.settle()
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake('B', [0x13, extensionMarker]) })
    bench.advance(10_000)
    expect(codes(alice, 'close')).toEqual(['P2P_DUPLICATE_LINK'])
    expect(alice.of('peer-closed')).toEqual([])
    expect(peerIds(alice)).toEqual(['B'])
  })

  test('a stranger who can be asked about only later does not outwait the peer that was asked', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(bob, 'memory://A')
    bench.settle()
    const link = bench.rawLink(alice)
    const features = ['heartbeat', 'claim']
    for (const bytes of [
      handshake('B', [0x13, extensionMarker]),
      whisper('B', [2, 'instead of a hello']),
      hello('B', new Uint8Array(8).fill(7), features),
    ]) {
      alice.handle({ type: 'link-bytes', link, bytes })
    }
    bench.advance(10_000)
    expect(codes(alice, 'close')).toEqual(['P2P_DUPLICATE_LINK'])
    expect(alice.of('peer-closed')).toEqual([])
    expect(alice.of('peer-message')).toEqual([])
    expect(peerIds(alice)).toEqual(['B'])
  })

  test('when the open peer is dead, the newcomer takes its place with what it sent meanwhile', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(bob, 'memory://A')
    bench.settle()
    bob.isDead = true
    const link = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link, bytes: handshake('B') })
    alice.handle({ type: 'link-bytes', link, bytes: whisper('B', [2, 'back again']) })
    bench.advance(5_000)
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_PEER_SILENT'])
    expect(peerIds(alice)).toEqual(['B'])
    expect(alice.of('peer-message').map((event) => event.message.payload)).toEqual([
      [2, 'back again'],
    ])
  })

  test('links crossing with an old peer are both given up and dialled again', () => {
    const bench = new Bench()
    const alice = bench.add('A')
    const incoming = bench.rawLink(alice)
    alice.handle({ type: 'link-bytes', link: incoming, bytes: handshake(ascii('Py')) })
    const [dialled] = alice.peers.handle(
      {
        type: 'connect',
        request: 1,
        address: 'memory://nobody',
        expectedId: undefined,
        timeoutMs: 9_000,
      },
      bench.now,
    )
    const outgoing = bench.rawLink(alice, { dial: dialled?.type === 'dial' ? dialled.dial : -1 })
    alice.handle({ type: 'link-bytes', link: outgoing, bytes: handshake(ascii('Py')) })
    bench.settle()
    expect(codes(alice, 'close')).toEqual(['P2P_CROSSED_LINKS', 'P2P_CROSSED_LINKS'])
    expect(alice.of('connect-failed')).toEqual([])
    bench.advance(2_000)
    expect(alice.of('connect-failed').map((event) => event.error.code)).toEqual([
      'P2P_CONNECTION_REFUSED',
    ])
  })
})

describe('Peers: signs of life', () => {
  test('a dead peer of ours is noticed within the stated bound, a live idle one stays', () => {
    const bench = new Bench()
    const [alice, bob] = [bench.add('A'), bench.add('B')]
    connect(alice, 'memory://B')
    bench.settle()
    bench.advance(120_000)
    expect(peerIds(alice)).toEqual(['B'])
    bob.isDead = true
    bench.advance(15_000 + 5_000)
    expect(codes(alice, 'peer-closed')).toEqual(['P2P_PEER_SILENT'])
  })
})
