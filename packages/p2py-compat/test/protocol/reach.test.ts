// How a member is found: by a link that is there, by a known address, or by asking the neighbours.
import { describe, expect, test } from '@jest/globals'
import {
  joinFinalized,
  killConnection,
  newPeer,
  uuidAddressResponse,
} from '../../src/protocol/membership-messages.ts'
import { encodeInfo, encodeMessage, encodeResponse } from '../../src/protocol/messages.ts'
import { PyRequest, type PyValue } from '../../src/pickle/values.ts'
import { frameOf } from '../../src/protocol/outbox.ts'
import type { Target } from '../../src/protocol/events.ts'
import type { P2pyLimits } from '../../src/protocol/limits.ts'
import { addressOf, DrivenMachine, ownAddress } from './driven-machine.ts'
import { onWire } from './wire.ts'

const text = { type: 'TEXT', data: 'found' }

/** UUID 2 of ten; 1, 3 and 4 are its Python neighbours. */
function secondOfTen(limits: Partial<P2pyLimits> = {}): ReturnType<typeof DrivenMachine.member> {
  const others = [0, 3, 4, 5, 6, 7, 8, 9]
  return DrivenMachine.member({ uuid: 2, adder: 1, others, neighbours: [3, 4], limits })
}

function send(driven: DrivenMachine, target: { uuid: number }, command = 9): void {
  driven.command({ type: 'send-message', command, target, fields: encodeMessage(text) })
}

/** Neighbours who were asked for an address by the latest input, and the id of the question. */
function asked(
  driven: DrivenMachine,
  links: ReadonlyMap<number, number>,
): readonly (readonly [uuid: number, requestId: string])[] {
  return [...links].flatMap(([uuid, link]) =>
    driven
      .heard(link)
      .filter((value) => value instanceof PyRequest)
      .map((request) => [uuid, String(request.state.get('request_id'))] as const),
  )
}

function answer(driven: DrivenMachine, link: number | undefined, id: string, about: number): void {
  const found = encodeMessage(uuidAddressResponse(about, addressOf(about)))
  driven.sayValue(link, encodeResponse(found, id))
}

describe('an address is searched', () => {
  test('at one neighbour, and the member who answers there gets the message', () => {
    const { driven, links } = secondOfTen()
    send(driven, { uuid: 8 })
    const [[neighbour, id] = []] = asked(driven, links)
    answer(driven, links.get(neighbour ?? -1), id ?? '', 8)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5008'])
    const link = driven.takeDial(8)
    expect(driven.heard(link)).toEqual([onWire(text)])
    expect(driven.answers).toEqual(new Map([[9, 'done']]))
  })

  test('at three neighbours, one after the other; then the message fails', () => {
    const { driven, links } = secondOfTen({ searchTimeoutMs: 2_000 })
    send(driven, { uuid: 8 })
    const tried = new Set<number>()
    for (let count = 0; count < 3; count += 1) {
      const questions = asked(driven, links)
      expect(questions).toHaveLength(1)
      tried.add(questions[0]?.[0] ?? -1)
      driven.pass(2_000)
    }
    expect(tried.size).toBe(3)
    expect(driven.answers).toEqual(new Map([[9, 'P2P_UUID_UNREACHABLE']]))
    driven.pass(2_000)
    expect(driven.effects).toEqual([])
  })

  test('once for everything that waits for the same member', () => {
    const { driven, links } = secondOfTen()
    send(driven, { uuid: 8 }, 9)
    const [[neighbour, id] = []] = asked(driven, links)
    send(driven, { uuid: 8 }, 10)
    expect(asked(driven, links)).toEqual([])
    answer(driven, links.get(neighbour ?? -1), id ?? '', 8)
    driven.takeDial(8)
    expect([...driven.answers.keys()]).toEqual([9, 10])
  })

  test('without neighbours in vain', () => {
    const { driven, links } = secondOfTen()
    for (const link of links.values()) driven.lose(link)
    send(driven, { uuid: 8 })
    expect(driven.answers).toEqual(new Map([[9, 'P2P_UUID_UNREACHABLE']]))
  })

  test('at one of ours before a Python node that may not have us in its book', () => {
    const driven = new DrivenMachine()
    driven.command({ type: 'join', command: 1, addresses: [addressOf(9)] })
    const adder = driven.takeDial(9)
    const activePeers = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18]
    const welcome = { joinerUuid: 2, adderUuid: 9, networkSize: 12, activePeers }
    driven.say(adder, joinFinalized(welcome))
    const links = new Map([
      [9, adder],
      [18, driven.meetOurs(18, 5_018)],
    ])
    send(driven, { uuid: 8 })
    expect(asked(driven, links).map(([uuid]) => uuid)).toEqual([18])
    driven.pass(3_000)
    expect(asked(driven, links).map(([uuid]) => uuid)).toEqual([9])
  })
})

describe('what is not believed', () => {
  test('an answer to a question nobody asked, about somebody else, or without an address', () => {
    const { driven, links } = secondOfTen()
    send(driven, { uuid: 8 })
    const [[neighbour, id = ''] = []] = asked(driven, links)
    const link = links.get(neighbour ?? -1)
    answer(driven, link, 'ZZZZZZ', 8)
    answer(driven, link, id, 7)
    const without = { type: 'UUID ADDRESS REQUEST RESPONSE', data: new Map<PyValue, PyValue>() }
    driven.sayValue(link, encodeResponse(encodeMessage(without), id))
    expect(driven.effects).toEqual([])
    answer(driven, link, id, 8)
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5008'])
  })

  test('another node at the address that was found: the message is not given to it', () => {
    const { driven, links } = secondOfTen()
    send(driven, { uuid: 8 })
    const [[neighbour, id = ''] = []] = asked(driven, links)
    answer(driven, links.get(neighbour ?? -1), id, 8)
    const link = driven.takeDial(9)
    expect(driven.heard(link)).toEqual([])
    expect(driven.answers).toEqual(new Map([[9, 'P2P_WRONG_PEER']]))
  })

  test('an old address where another node answers now, or nobody: a search follows', () => {
    const { driven, links } = secondOfTen()
    driven.say(links.get(4), newPeer(15, addressOf(15)))
    send(driven, { uuid: 15 })
    driven.takeDial(9)
    expect(asked(driven, links)).toHaveLength(1)
    driven.say(links.get(4), newPeer(16, addressOf(16)))
    send(driven, { uuid: 16 })
    driven.refuseDial()
    expect(asked(driven, links)).toHaveLength(1)
  })
})

describe('limits', () => {
  test('maxWaitingTasks wait for links, one more fails', () => {
    const driven = new DrivenMachine({ maxWaitingTasks: 2 })
    const codes = [0, 1, 2].map((name) => {
      const fields = encodeMessage(text)
      const target = { address: addressOf(name) }
      driven.command({ type: 'send-message', command: name, target, fields })
      return driven.answers.get(name)
    })
    expect(codes).toEqual([undefined, undefined, 'P2P_TOO_BUSY'])
  })

  test('searches count too', () => {
    const { driven } = secondOfTen({ maxWaitingTasks: 2 })
    const codes = [7, 8, 9].map((uuid) => {
      send(driven, { uuid }, uuid)
      return driven.answers.get(uuid)
    })
    expect(codes).toEqual([undefined, undefined, 'P2P_TOO_BUSY'])
  })

  test('nothing is dialled for a message to our own address', () => {
    const driven = new DrivenMachine()
    const target = { address: ownAddress }
    const fields = encodeMessage(text)
    driven.command({ type: 'send-message', command: 9, target, fields })
    expect(driven.answers).toEqual(new Map([[9, 'P2P_SELF']]))
  })
})

test('an address that is dialled already is not dialled again before its node has introduced itself', () => {
  const driven = new DrivenMachine()
  const target = { address: addressOf(7) }
  const fields = encodeMessage(text)
  driven.command({ type: 'send-message', command: 1, target, fields })
  const link = driven.open(driven.dial)
  driven.command({ type: 'send-message', command: 2, target, fields })
  expect(driven.dialled).toEqual([])
  driven.sayValue(link, encodeInfo({ address: addressOf(7), uuid: null, isOurs: true }))
  expect([...driven.answers]).toEqual([
    [1, 'done'],
    [2, 'done'],
  ])
})

test('who is dialled and says good-bye in one piece gets nothing, and nothing is reported done', () => {
  const driven = new DrivenMachine()
  const target = { address: addressOf(7) }
  const fields = encodeMessage(text)
  driven.command({ type: 'send-message', command: 1, target, fields })
  driven.command({ type: 'request', command: 2, target, fields, timeoutMs: 1_000 })
  const info = encodeInfo({ address: addressOf(7), uuid: null, isOurs: false })
  const link = driven.open(1)
  const frames = [frameOf(info), frameOf(true), frameOf(encodeMessage(killConnection))]
  driven.bytes(link, Buffer.concat(frames))
  expect(driven.heard(link)).toEqual([])
  expect([...driven.answers]).toEqual([
    [1, 'P2P_LINK_LOST'],
    [2, 'P2P_LINK_LOST'],
  ])
})

test('an operation that is given up while it waits fails, and those beside it do not', () => {
  const { driven } = secondOfTen()
  const fields = encodeMessage(text)
  const order = (command: number, target: Target): void => {
    driven.command({ type: 'send-message', command, target, fields })
  }
  for (const [command, target] of [
    [20, { uuid: 8 }],
    [30, { address: addressOf(70) }],
  ] as const) {
    order(command, target)
    order(command + 1, target)
    driven.command({ type: 'cancel', command })
    expect(driven.answers).toEqual(new Map([[command, 'P2P_CANCELLED']]))
    driven.command({ type: 'cancel', command })
    expect(driven.effects).toEqual([])
  }
  driven.command({ type: 'leave', command: 9 })
  const left = ['P2P_LEFT', 'P2P_LEFT', 'done']
  expect([21, 31, 9].map((command) => driven.answers.get(command))).toEqual(left)
})
