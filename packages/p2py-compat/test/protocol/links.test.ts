// Single connections of a node: how long one may take, who says good-bye, and how many there may be.
import { describe, expect, test } from '@jest/globals'
import { killConnection } from '../../src/protocol/membership-messages.ts'
import { encodeInfo, encodeMessage } from '../../src/protocol/messages.ts'
import { frameOf } from '../../src/protocol/outbox.ts'
import { addressOf, DrivenMachine, ownAddress } from './driven-machine.ts'
import { joined, onWire, utf8 } from './wire.ts'

const text = { type: 'TEXT', data: 'x' }

function sending(driven: DrivenMachine, link: number, data: string): ReadonlyMap<number, string> {
  const fields = encodeMessage({ type: 'TEXT', data })
  driven.command({ type: 'send-message', command: 9, target: { link }, fields })
  return driven.answers
}

describe('introduction', () => {
  test('a peer who says nothing until infoTimeoutMs is closed then', () => {
    const driven = new DrivenMachine({ infoTimeoutMs: 1_000 })
    const link = driven.open()
    driven.pass(999)
    expect(driven.effects).toEqual([])
    driven.pass(1)
    expect([driven.closed, driven.rejected]).toEqual([
      [[link, 'P2P_INFO_TIMEOUT']],
      ['P2P_INFO_TIMEOUT'],
    ])
  })

  test('a peer whose first value is no info is closed, and so is one who sends no pickle', () => {
    const driven = new DrivenMachine()
    const link = driven.open()
    driven.sayValue(link, 17)
    expect(driven.closed).toEqual([[link, 'P2P_BAD_INFO']])
    const other = driven.open()
    driven.bytes(other, utf8('3         zzz'))
    expect(driven.closed).toEqual([[other, 'P2P_PICKLE_OPCODE']])
  })

  test('what stands before an unreadable header or a bad pickle is taken, however it is cut', () => {
    for (const rubbish of ['rubbish!!!', '3         zzz']) {
      const bytes = joined(frameOf(encodeMessage(text)), utf8(rubbish))
      for (const cut of [0, 5, bytes.length - rubbish.length]) {
        const driven = new DrivenMachine()
        const link = driven.meet(1)
        driven.bytes(link, bytes.subarray(0, cut))
        const types = [...driven.types]
        driven.bytes(link, bytes.subarray(cut))
        expect([...types, ...driven.types].sort()).toEqual(['close', 'message', 'rejected'])
      }
    }
  })

  test('a dial that comes to such a peer counts as failed', () => {
    const driven = new DrivenMachine()
    driven.command({ type: 'join', command: 1, addresses: [addressOf(0)] })
    const link = driven.open(driven.dial)
    driven.sayValue(link, 17)
    expect(driven.answers).toEqual(new Map([[1, 'P2P_JOIN_FAILED']]))
  })

  test('what is known of no link and of no dial changes nothing', () => {
    const driven = new DrivenMachine()
    driven.bytes(77, utf8('3         zzz'))
    expect(driven.effects).toEqual([])
    driven.lose(77)
    expect(driven.effects).toEqual([])
    driven.command({ type: 'join', command: 1, addresses: [addressOf(0), addressOf(1)] })
    const first = driven.dial
    driven.refuseDial()
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5001'])
    driven.refuseDial(first) // again
    expect(driven.effects).toEqual([])
  })
})

describe('our own address', () => {
  test('whoever calls himself by it is not talked to, and the next one is asked at once', () => {
    const driven = new DrivenMachine()
    const alias = { host: 'localhost', port: ownAddress.port }
    driven.command({ type: 'join', command: 1, addresses: [alias, addressOf(1)] })
    const link = driven.open(driven.dial)
    driven.sayValue(link, encodeInfo({ address: ownAddress, uuid: null, isOurs: true }))
    expect(driven.closed).toEqual([[link, 'P2P_SELF']])
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5001'])
    driven.refuseDial()
    expect(driven.answers).toEqual(new Map([[1, 'P2P_JOIN_FAILED']]))
  })
})

describe('good-bye', () => {
  test('a node that leaves calls its dials off', () => {
    const driven = new DrivenMachine()
    driven.command({ type: 'join', command: 1, addresses: [addressOf(1)] })
    const { dial } = driven
    driven.command({ type: 'join', command: 2, addresses: [addressOf(1)] })
    expect(driven.effects).toContainEqual({ type: 'cancel-dial', dial })
    expect(driven.dial).not.toBe(dial)
    driven.refuseDial(dial)
    expect(driven.effects).toEqual([])
  })

  test('a flag False ends the link, behind the info by an old node and later by any', () => {
    const driven = new DrivenMachine()
    const link = driven.meet(1, null)
    driven.sayValue(link, true)
    expect(driven.effects).toEqual([])
    driven.sayValue(link, false)
    expect(driven.closed).toEqual([[link, 'P2P_PEER_GOODBYE']])
  })

  test('what comes behind it is not read any more, in the same piece or a later one', () => {
    const driven = new DrivenMachine()
    const link = driven.meet(1)
    const message = frameOf(encodeMessage(text))
    driven.bytes(link, joined(frameOf(encodeMessage(killConnection)), message, utf8('rest')))
    expect(driven.types).toEqual(['close'])
    driven.bytes(link, message)
    expect(driven.effects).toEqual([])
    expect(sending(driven, link, 'late')).toEqual(new Map([[9, 'P2P_LINK_LOST']]))
  })

  test('a node that leaves says it to whom it knows, and closes the others without', () => {
    const driven = new DrivenMachine()
    const known = driven.meet(1)
    const unknown = driven.open()
    const refused = driven.open()
    driven.sayValue(refused, 17)
    driven.command({ type: 'leave', command: 2 })
    expect(driven.heard(known)).toEqual([onWire(killConnection)])
    expect(driven.heard(unknown)).toEqual([])
    expect(driven.closed).toEqual([
      [known, 'P2P_LEFT'],
      [unknown, 'P2P_LEFT'],
    ])
  })
})

describe('silence', () => {
  test('a link that we accepted is closed after acceptedLinkMs unless its peer asked to keep it', () => {
    const driven = new DrivenMachine({ acceptedLinkMs: 1_000 })
    const temporary = driven.meetOld(1, null)
    const kept = driven.meet(2, null)
    driven.pass(1_000)
    expect(driven.closed).toEqual([[temporary, 'P2P_LINK_IDLE']])
    expect(driven.heard(kept)).toEqual([])
  })

  test('one of ours is asked for nothing by the flag: its link is temporary', () => {
    const driven = new DrivenMachine({ acceptedLinkMs: 1_000 })
    const ours = driven.meetOurs(null, 6_000)
    driven.pass(1_000)
    expect(driven.closed).toEqual([[ours, 'P2P_LINK_IDLE']])
  })

  test('a second link of somebody whose first is kept stays too: its end would mean his departure', () => {
    const driven = new DrivenMachine({ acceptedLinkMs: 1_000 })
    driven.meet(2)
    driven.meetOld(2, 2)
    driven.pass(60_000)
    expect(driven.closed).toEqual([])
    expect(driven.machine.state.links).toBe(2)
  })
})

describe('slow frames', () => {
  const begun = utf8('100000    x')

  test('half a frame may take frameGraceMs, and has to come at 1 KiB per second from then on', () => {
    const driven = new DrivenMachine({ frameGraceMs: 10_000 })
    const link = driven.meet(1)
    driven.bytes(link, begun)
    driven.pass(10_000)
    driven.bytes(link, new Uint8Array(5 * 1_024))
    driven.pass(5_000)
    expect(driven.closed).toEqual([])
    driven.bytes(link, new Uint8Array(5 * 1_024 - 1))
    driven.pass(5_000)
    expect(driven.closed).toEqual([[link, 'P2P_FRAME_TOO_SLOW']])
  })

  test('each frame has frameGraceMs from its own begin', () => {
    const driven = new DrivenMachine({ frameGraceMs: 10_000 })
    const link = driven.meet(1)
    const frame = frameOf(encodeMessage(text))
    driven.bytes(link, frame.subarray(0, 20))
    driven.pass(9_000)
    driven.bytes(link, joined(frame.subarray(20), begun))
    for (const durationMs of [1_000, 5_000, 4_000, 4_999]) {
      driven.pass(durationMs)
      expect(driven.closed).toEqual([])
    }
    driven.pass(1)
    expect(driven.closed).toEqual([[link, 'P2P_FRAME_TOO_SLOW']])
  })

  test('all together may hold maxReceivingBytes; above, the one under way for longest is closed', () => {
    const driven = new DrivenMachine({ maxReceivingBytes: 5_000 })
    const [first, second, third] = [driven.meet(1), driven.meet(2), driven.open()]
    const header = utf8('100000    ')
    driven.bytes(first, joined(header, new Uint8Array(1_000)))
    driven.bytes(second, joined(header, new Uint8Array(2_000)))
    driven.bytes(third, joined(header, new Uint8Array(2_000)))
    expect(driven.closed).toEqual([])
    driven.bytes(second, new Uint8Array(1))
    expect(driven.closed).toEqual([[first, 'P2P_RECEIVE_BUDGET']])
    driven.lose(second)
    driven.bytes(third, new Uint8Array(3_000))
    expect(driven.closed).toEqual([])
    driven.bytes(third, new Uint8Array(1))
    expect(driven.closed).toEqual([[third, 'P2P_RECEIVE_BUDGET']])
  })

  test('a frame that is whole holds nothing', () => {
    const driven = new DrivenMachine({ maxReceivingBytes: 100 })
    const link = driven.meet(1)
    const frame = frameOf(encodeMessage({ type: 'TEXT', data: 'x'.repeat(200) }))
    for (let count = 0; count < 3; count += 1) {
      driven.bytes(link, frame.subarray(0, 100))
      driven.bytes(link, frame.subarray(100))
      expect(driven.types).toEqual(['message'])
    }
  })

  test('a frame that is whole in time is not looked at', () => {
    const driven = new DrivenMachine({ frameGraceMs: 10_000 })
    const link = driven.meet(1)
    const frame = frameOf(encodeMessage(text))
    driven.bytes(link, frame.subarray(0, 20))
    driven.bytes(link, frame.subarray(20))
    expect(driven.types).toEqual(['message'])
    driven.pass(20_000)
    expect(driven.closed).toEqual([])
  })
})

describe('limits', () => {
  test('what one neighbour cannot read is sent to none of the peer book, and its sender is told', () => {
    const limits = { maxFrameBytesToPython: 1_000 }
    const options = { uuid: 2, adder: 1, others: [0], neighbours: [0], limits }
    const { driven, links } = DrivenMachine.member(options)
    const tell = (length: number, exclude: readonly number[] = []): void => {
      const fields = encodeMessage({ type: 'TEXT', data: 'x'.repeat(length) })
      driven.command({ type: 'send-to-book', command: 9, fields, exclude })
    }
    tell(1_000)
    expect(driven.effects.map(({ type }) => type)).toEqual(['failed'])
    expect(driven.answers).toEqual(new Map([[9, 'P2P_MESSAGE_TOO_LARGE']]))
    tell(1_000, [0, 1])
    expect(driven.answers).toEqual(new Map([[9, 'done']]))
    tell(100, [1])
    expect([driven.heard(links.get(0)).length, driven.heard(links.get(1)).length]).toEqual([1, 0])
    expect(driven.answers).toEqual(new Map([[9, 'done']]))
  })

  test('maxLinks are open, one more is closed at once', () => {
    const driven = new DrivenMachine({ maxLinks: 2 })
    driven.meet(1)
    driven.meet(2)
    const third = driven.open()
    expect(driven.closed).toEqual([[third, 'P2P_TOO_MANY_LINKS']])
    driven.lose(third)
    driven.command({ type: 'leave', command: 1 })
    expect(driven.closed).toHaveLength(2)
  })

  test('maxPendingLinks say nothing yet, one more is closed at once', () => {
    const driven = new DrivenMachine({ maxPendingLinks: 2 })
    driven.meet(1)
    driven.open()
    driven.open()
    expect(driven.closed).toEqual([])
    const third = driven.open()
    expect(driven.closed).toEqual([[third, 'P2P_TOO_MANY_LINKS']])
  })

  test('of links that go on saying nothing, the one that has for longest gives way to whoever comes', () => {
    const driven = new DrivenMachine({ maxPendingLinks: 2 })
    const [first, second] = [driven.open(), driven.open()]
    driven.pass(500)
    for (const silent of [first, second]) {
      driven.open()
      expect(driven.closed).toEqual([[silent, 'P2P_INFO_TIMEOUT']])
    }
    const last = driven.open()
    expect(driven.closed).toEqual([[last, 'P2P_TOO_MANY_LINKS']])
  })

  test('a Python node gets frames up to maxFrameBytesToPython, one of ours larger ones', () => {
    const driven = new DrivenMachine({ maxFrameBytesToPython: 1_000 })
    const python = driven.meet(1)
    const ours = driven.meetOurs(2, 6_000)
    const overhead = frameOf(encodeMessage({ type: 'TEXT', data: 'x'.repeat(300) })).length - 300
    const fitting = 'x'.repeat(1_000 - overhead)
    expect(sending(driven, python, fitting)).toEqual(new Map([[9, 'done']]))
    expect(sending(driven, python, `${fitting}x`)).toEqual(new Map([[9, 'P2P_MESSAGE_TOO_LARGE']]))
    expect(driven.heard(python)).toEqual([])
    expect(sending(driven, ours, `${fitting}x`)).toEqual(new Map([[9, 'done']]))
  })
})
