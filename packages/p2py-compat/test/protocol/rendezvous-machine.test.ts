// The rendezvous server, with the test in the place of every node.
import { describe, expect, test } from '@jest/globals'
import { P2pError } from '@p2p/base'
import type { PyValue } from '../../src/pickle/values.ts'
import { encodeInfo, encodeMessage, encodeRequest } from '../../src/protocol/messages.ts'
import type { OutgoingMessage } from '../../src/protocol/messages.ts'
import { addressToTuple } from '../../src/protocol/node-address.ts'
import { frameOf } from '../../src/protocol/outbox.ts'
import { RendezvousMachine, type RendezvousLimits } from '../../src/protocol/rendezvous-machine.ts'
import { initRequest, register, relay, relayEnd } from '../../src/protocol/rendezvous-messages.ts'
import { onWire, sentOver, utf8 } from './wire.ts'

type Effects = ReturnType<RendezvousMachine['handle']>

/** The tokens a server gives out here: the first one is all 01. */
const tokenNumber = (number: number): string => `0${number}`.repeat(16)
const token = tokenNumber(1)

/** Address a node calls itself by, and the one its NAT shows. */
const inside = (name: number): { host: string; port: number } => ({ host: '10.0.0.1', port: name })
const outside = (name: number): string => `tcp://203.0.113.1:${name}`

class DrivenServer {
  readonly machine: RendezvousMachine
  effects: Effects = []
  #nowMs = 0
  #tokens = 0

  constructor(limits: Partial<RendezvousLimits> = {}) {
    this.machine = new RendezvousMachine({
      address: { host: '203.0.113.200', port: 7000 },
      probePort: 7001,
      randomBytes: (count) => new Uint8Array(count).fill((this.#tokens += 1)),
      limits,
    })
  }

  /** Link `name` opens; its node has said nothing yet. */
  open(name: number): void {
    const remote = outside(name)
    this.#handle({ type: 'link-open', link: name, transport: 'tcp', remote, dial: undefined })
  }

  /** A node introduces itself and, if it is one of ours, registers. */
  enter(name: number, options: { isOurs?: boolean; isIndependent?: boolean } = {}): void {
    const { isOurs = true, isIndependent = true } = options
    this.open(name)
    this.say(name, encodeInfo({ address: inside(name), uuid: null, isOurs }))
    if (isOurs) this.say(name, encodeMessage(register(isIndependent)))
  }

  say(name: number, value: PyValue): void {
    this.#handle({ type: 'link-bytes', link: name, bytes: frameOf(value) })
  }

  tell(name: number, message: OutgoingMessage): void {
    this.say(name, encodeMessage(message))
  }

  ask(name: number, contents: OutgoingMessage): void {
    const fields = encodeMessage(contents)
    const request = { callbackAddress: inside(name), requestId: 'AAAAAA', contents: fields }
    this.say(name, encodeRequest(request))
  }

  bytes(name: number, bytes: Uint8Array): void {
    this.#handle({ type: 'link-bytes', link: name, bytes })
  }

  lose(name: number): void {
    const reason = new P2pError('P2P_LINK_LOST', 'gone')
    this.#handle({ type: 'link-closed', link: name, reason })
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs
    if (this.machine.nextDeadline() <= this.#nowMs) this.#handle({ type: 'deadline' })
    else this.effects = []
  }

  heard(name: number): readonly PyValue[] {
    return sentOver(name, this.effects)
  }

  /** Codes of the links that were closed by the latest input. */
  get closed(): readonly string[] {
    return this.effects.flatMap((effect) => (effect.type === 'close' ? [effect.reason.code] : []))
  }

  #handle(input: Parameters<RendezvousMachine['handle']>[0]): void {
    this.effects = this.machine.handle(input, { monoMs: this.#nowMs, utcSeconds: 0 })
  }
}

/** One field of the only value a node heard. */
function field(server: DrivenServer, name: number, key: string): unknown {
  const heard = server.heard(name)
  expect(heard).toHaveLength(1)
  return heard[0] instanceof Map ? (heard[0].get(key) as unknown) : undefined
}

function typeOf(value: PyValue): unknown {
  return value instanceof Map ? (value.get('type') as unknown) : undefined
}

/** Nodes 1 and 2, introduced to each other. */
function introduced(limits: Partial<RendezvousLimits> = {}): DrivenServer {
  const server = new DrivenServer(limits)
  server.enter(1)
  server.enter(2, { isIndependent: false })
  server.ask(1, initRequest(inside(2)))
  return server
}

describe('registration', () => {
  test('a node of ours hears how it is seen, and is registered when it says what its NAT does', () => {
    const server = new DrivenServer()
    server.open(1)
    server.say(1, encodeInfo({ address: inside(1), uuid: null, isOurs: true }))
    expect(field(server, 1, 'data')).toEqual(addressToTuple({ host: '203.0.113.1', port: 1 }))
    expect(server.effects.map(({ type }) => type)).not.toContain('registered')
    server.tell(1, register(true))
    expect(server.effects).toContainEqual({
      type: 'registered',
      address: 'tcp://10.0.0.1:1',
      seenAs: 'tcp://203.0.113.1:1',
    })
    expect(server.heard(1)).toEqual([onWire(register(true))])
  })

  test('a Python node is registered by its info, and told nothing it does not know', () => {
    const server = new DrivenServer()
    server.enter(1, { isOurs: false })
    expect(server.effects.map(({ type }) => type)).toEqual(['registered'])
  })

  test('a node that goes is forgotten', () => {
    const server = introduced()
    server.lose(2)
    server.ask(1, initRequest(inside(2)))
    expect(field(server, 1, 'trg_address')).toBeNull()
    expect([server.machine.clientCount, server.machine.sessionCount]).toEqual([1, 0])
  })
})

describe('introductions', () => {
  test('both nodes get each other seen from outside, one token, and opposite roles', () => {
    const server = introduced()
    const answer = field(server, 1, 'punch')
    const notice = field(server, 2, 'punch')
    const roles = (requester: boolean, independent: boolean, peer: boolean): Map<string, unknown> =>
      new Map<string, unknown>([
        ['token', token],
        ['requester', requester],
        ['independent', independent],
        ['peer_independent', peer],
      ])
    expect(answer).toEqual(roles(true, true, false))
    expect(notice).toEqual(roles(false, false, true))
    expect(field(server, 1, 'request_id')).toBe('AAAAAA')
    expect(field(server, 2, 'type')).toBe('CONNECTION INIT')
    expect(field(server, 1, 'trg_address')).toEqual(field(server, 2, 'src_address'))
    expect(server.effects).toContainEqual({
      type: 'introduced',
      source: 'tcp://10.0.0.1:1',
      target: 'tcp://10.0.0.1:2',
    })
  })

  test('a Python target is not sent the message that would end its worker thread', () => {
    const server = new DrivenServer()
    server.enter(1)
    server.enter(2, { isOurs: false })
    server.ask(1, initRequest(inside(2)))
    expect(server.heard(1)).toHaveLength(1)
    expect(server.heard(2)).toEqual([])
    expect(server.machine.sessionCount).toBe(0)
  })

  test('nobody, and the requester itself, are answered with an empty target', () => {
    const server = introduced()
    for (const name of [1, 3]) {
      server.ask(1, initRequest(inside(name)))
      expect(field(server, 1, 'trg_address')).toBeNull()
    }
  })

  test('requests pass up to a burst of ten times the rate, one more is dropped, later ones pass', () => {
    const server = new DrivenServer({ maxRequestsPerSecond: 1 })
    server.enter(1)
    const answers = Array.from({ length: 11 }, () => {
      server.ask(1, initRequest(inside(9)))
      return server.heard(1).length
    })
    expect(answers).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    server.pass(1_000)
    server.ask(1, initRequest(inside(9)))
    expect(server.heard(1)).toHaveLength(1)
  })
})

describe('relaying', () => {
  test('bytes go to the other node of the token as they came, both ways', () => {
    const server = introduced()
    const message = relay(token, utf8('through'))
    server.tell(1, message)
    expect([server.heard(1), server.heard(2)]).toEqual([[], [onWire(message)]])
    server.tell(2, message)
    expect([server.heard(1), server.heard(2)]).toEqual([[onWire(message)], []])
  })

  test('nothing but the token and the bytes is passed on, whatever else a message holds', () => {
    const server = introduced()
    const data = (bytes: PyValue): PyValue =>
      new Map<PyValue, PyValue>([
        ['token', token],
        ['bytes', bytes],
        ['more', []],
      ])
    const more = { request_id: 'AAAAAA', other: [[], []] }
    server.tell(1, { type: 'RELAY', data: data(utf8('through')), ...more })
    expect(server.heard(2)).toEqual([onWire(relay(token, utf8('through')))])
    server.tell(1, { type: 'RELAY END', data: data(utf8('more')), ...more })
    expect(server.heard(2)).toEqual([onWire(relayEnd(token))])
  })

  test('a piece of 16 KiB is passed on, one byte more is not: the other one could not read what it is told', () => {
    const server = introduced()
    server.tell(1, relay(token, new Uint8Array(16_384)))
    expect(server.heard(2)).toHaveLength(1)
    server.tell(1, relay(token, new Uint8Array(16_385)))
    expect(server.effects).toEqual([])
  })

  test('a third node cannot send by a token, nor anybody by a token that was never given', () => {
    const server = introduced()
    server.enter(3)
    server.tell(3, relay(token, utf8('forged')))
    server.tell(1, relay('cd'.repeat(16), utf8('lost')))
    server.tell(1, relay('short', utf8('lost')))
    expect(server.effects).toEqual([])
  })

  test('the end is passed on, and nothing after it', () => {
    const server = introduced()
    server.tell(2, relayEnd(token))
    expect(server.heard(1)).toEqual([onWire(relayEnd(token))])
    expect(server.machine.sessionCount).toBe(0)
    server.tell(1, relay(token, utf8('late')))
    expect(server.heard(2)).toEqual([])
  })

  test('the other node is told when one of the two goes: nothing else would end its link', () => {
    const server = introduced()
    server.lose(1)
    expect(server.heard(2)).toEqual([onWire(relayEnd(token))])
    const another = introduced()
    another.bytes(2, utf8('GET / HTTP'))
    expect(another.heard(1)).toEqual([onWire(relayEnd(token))])
  })

  test('a node that sends faster than allowed is cut off, at the burst limit plus one', () => {
    const server = introduced({ maxRelayedPerSecond: 1 })
    const piece = relay(token, utf8('x'))
    for (let count = 0; count < 10; count += 1) {
      server.tell(1, piece)
      expect(server.heard(2)).toHaveLength(1)
    }
    server.tell(1, piece)
    expect(server.heard(2)).toEqual([onWire(relayEnd(token))])
    expect(server.closed).toEqual(['P2P_RELAY_TOO_FAST'])
  })
})

describe('limits and bad input', () => {
  test('a limit has a known name and a number above zero', () => {
    const unknown: object = { maxNothing: 1 }
    expect(() => new DrivenServer(unknown)).toThrow(TypeError)
    for (const bad of [0, -1, NaN]) {
      expect(() => new DrivenServer({ infoTimeoutMs: bad })).toThrow(RangeError)
    }
  })

  test('maxClients connections stay, one more is closed', () => {
    const server = new DrivenServer({ maxClients: 2 })
    const closed = [1, 2, 3].map((name) => {
      server.open(name)
      return server.closed
    })
    expect(closed).toEqual([[], [], ['P2P_TOO_MANY_LINKS']])
  })

  test('maxSessions introductions are remembered, the oldest ends for one more', () => {
    const server = new DrivenServer({ maxSessions: 1 })
    server.enter(1)
    server.enter(2)
    server.ask(1, initRequest(inside(2)))
    server.ask(2, initRequest(inside(1)))
    expect(server.machine.sessionCount).toBe(1)
    const end = onWire(relayEnd(tokenNumber(1)))
    for (const name of [1, 2]) expect(server.heard(name)).toContainEqual(end)
    server.tell(1, relay(tokenNumber(1), utf8('old')))
    expect(server.heard(2)).toEqual([])
    server.tell(1, relay(tokenNumber(2), utf8('new')))
    expect(server.heard(2)).toHaveLength(1)
  })

  test('whoever asks for one introduction after the other ends his own, not those of others', () => {
    const server = introduced({ maxSessions: 3, maxRequestsPerSecond: 100 })
    for (const name of [3, 4]) server.enter(name)
    for (let number = 2; number < 8; number += 1) {
      server.ask(3, initRequest(inside(number % 2 === 0 ? 4 : 2)))
      const ended = [1, 3].map((name) => server.heard(name).map((value) => typeOf(value)))
      const expected = number < 4 ? [] : ['RELAY END']
      expect(ended).toEqual([[], [...expected, 'CONNECTION INIT RESPONSE']])
    }
    expect(server.machine.sessionCount).toBe(3)
    server.tell(1, relay(token, utf8('still there')))
    expect(server.heard(2)).toHaveLength(1)
  })

  test('sessions that are over do not count for whom asked for them', () => {
    const server = introduced({ maxSessions: 2 })
    server.enter(3)
    for (let number = 2; number < 6; number += 1) {
      server.ask(3, initRequest(inside(2)))
      server.tell(number % 2 === 0 ? 2 : 3, relayEnd(tokenNumber(number)))
    }
    server.ask(3, initRequest(inside(2))) // number 6
    server.ask(3, initRequest(inside(1))) // number 7: each has one, or 3 more than 1
    expect(server.heard(3)).toContainEqual(onWire(relayEnd(tokenNumber(6))))
    server.ask(1, initRequest(inside(3)))
    expect(server.heard(1)).toContainEqual(onWire(relayEnd(token)))
  })

  test('a frame of maxFrameBytes is read, one byte more closes the link', () => {
    for (const [size, codes] of [
      [2_000, []],
      [2_001, ['P2P_FRAME_TOO_LARGE']],
    ] as const) {
      const server = new DrivenServer({ maxFrameBytes: 2_000 })
      server.enter(1)
      server.bytes(1, utf8(String(size).padEnd(10)))
      expect(server.closed).toEqual(codes)
    }
  })

  test('whoever says nothing until infoTimeoutMs is closed then', () => {
    const server = new DrivenServer({ infoTimeoutMs: 1_000 })
    server.open(1)
    server.enter(2)
    server.pass(999)
    expect(server.effects).toEqual([])
    server.pass(1)
    expect(server.closed).toEqual(['P2P_INFO_TIMEOUT'])
    expect(server.machine.clientCount).toBe(1)
  })

  test('half a frame may take frameGraceMs, and has to come at 1 KiB per second from then on', () => {
    const server = new DrivenServer({ frameGraceMs: 10_000 })
    server.enter(1)
    server.bytes(1, utf8('60000     x'))
    server.pass(10_000)
    server.bytes(1, new Uint8Array(5 * 1_024))
    server.pass(5_000)
    expect(server.closed).toEqual([])
    server.bytes(1, new Uint8Array(5 * 1_024 - 1))
    server.pass(5_000)
    expect(server.closed).toEqual(['P2P_FRAME_TOO_SLOW'])
    expect(server.machine.clientCount).toBe(0)
  })

  test('half frames may hold maxReceivingBytes together; above, the one under way for longest is closed', () => {
    const server = new DrivenServer({ maxReceivingBytes: 3_000 })
    for (const name of [1, 2]) {
      server.open(name)
      server.bytes(name, utf8('60000     '))
      server.bytes(name, new Uint8Array(1_500))
      expect(server.closed).toEqual([])
    }
    server.bytes(2, new Uint8Array(1))
    expect(server.closed).toEqual(['P2P_RECEIVE_BUDGET'])
    server.enter(3)
    server.bytes(2, new Uint8Array(1_499))
    expect(server.closed).toEqual([])
    expect(server.machine.clientCount).toBe(2)
  })

  test('no info, no pickle, no frame: the link is closed with a code', () => {
    for (const [bytes, code] of [
      [frameOf(17), 'P2P_BAD_INFO'],
      [utf8('3         zzz'), 'P2P_PICKLE_OPCODE'],
      [frameOf(Array.from({ length: 1_024 }, () => null)), 'P2P_PICKLE_LIMIT'],
      [utf8('GET / HTTP'), 'P2P_FRAME_HEADER'],
    ] as const) {
      const server = new DrivenServer()
      server.open(1)
      server.bytes(1, bytes)
      expect(server.closed).toEqual([code])
    }
  })
})

describe('what is dropped without harm', () => {
  test('bytes of links that are not there, dials that nobody made, and what transports hold back', () => {
    const server = new DrivenServer()
    server.bytes(9, utf8('3         zzz'))
    expect(server.effects).toEqual([])
    server.lose(9)
    expect(server.effects).toEqual([])
    const now = { monoMs: 0, utcSeconds: 0 }
    const error = new P2pError('P2P_CONNECTION_REFUSED', 'nobody there')
    expect(server.machine.handle({ type: 'dial-failed', dial: 1, error }, now)).toEqual([])
    expect(server.machine.handle({ type: 'link-held', link: 1, byteCount: 1 }, now)).toEqual([])
  })

  test('flags, types that a server is not for, and requests for nothing it knows', () => {
    const server = new DrivenServer()
    server.enter(1)
    const said = [true, 17, encodeMessage({ type: 'TEXT', data: 'hello' })]
    for (const value of said) {
      server.say(1, value)
      expect(server.effects).toEqual([])
    }
    server.ask(1, { type: 'ADD', data: 1 })
    expect(server.effects).toEqual([])
    server.ask(1, { type: 'CONNECTION_INIT_REQUEST', target_address: 'somebody' })
    expect(server.effects).toEqual([])
    expect(server.machine.clientCount).toBe(1)
  })

  test('everything behind the good-bye of a node, in the same piece', () => {
    const server = new DrivenServer()
    server.enter(1)
    const bye = frameOf(encodeMessage({ type: 'KILL CONNECTION' }))
    const more = frameOf(encodeMessage(register(true)))
    server.bytes(1, Uint8Array.of(...bye, ...more))
    expect(server.closed).toEqual(['P2P_PEER_GOODBYE'])
    expect(server.effects.map(({ type }) => type)).toEqual(['rejected', 'close'])
  })
})

test('the server answers TEST as every node does', () => {
  const server = new DrivenServer()
  server.enter(1)
  server.ask(1, { type: 'TEST' })
  expect(field(server, 1, 'data')).toBe('Hi!')
})

test('a link from no address is turned away: nobody could be told of it', () => {
  const server = new DrivenServer()
  const link = { type: 'link-open', link: 1, transport: 'memory', dial: undefined } as const
  const now = { monoMs: 0, utcSeconds: 0 }
  const [effect] = server.machine.handle({ ...link, remote: 'memory://somewhere' }, now)
  expect(effect?.type).toBe('close')
  expect(server.machine.clientCount).toBe(0)
})

test('a node that comes again from elsewhere under its address takes its place, and keeps it', () => {
  const server = new DrivenServer()
  server.enter(1)
  server.open(5)
  server.say(5, encodeInfo({ address: inside(1), uuid: null, isOurs: true }))
  server.tell(5, register(true))
  server.lose(1)
  server.enter(2)
  server.ask(2, initRequest(inside(1)))
  expect(server.heard(5)).toHaveLength(1)
})

test('of nodes that call themselves the same the newest is introduced, and the others when it is gone', () => {
  const server = new DrivenServer()
  server.enter(9)
  for (const name of [1, 2, 3]) {
    server.open(name)
    server.say(name, encodeInfo({ address: inside(1), uuid: null, isOurs: true }))
    server.tell(name, register(true))
  }
  server.tell(1, register(true)) // is the newest now
  for (const name of [1, 3, 2]) {
    server.ask(9, initRequest(inside(1)))
    expect(server.heard(name)).toHaveLength(1)
    server.lose(name)
  }
  server.ask(9, initRequest(inside(1)))
  expect(field(server, 9, 'trg_address')).toBeNull()
})

test('who goes ends no session of others', () => {
  const server = introduced()
  server.enter(3)
  server.lose(3)
  server.open(4)
  server.lose(4)
  expect([server.machine.clientCount, server.machine.sessionCount]).toEqual([2, 1])
})
