// Requests and their answers at one node, with the test in the place of every other node.
import { describe, expect, test } from '@jest/globals'
import { decodePickle } from '../../src/pickle/reader.ts'
import { PyRequest, type PyValue } from '../../src/pickle/values.ts'
import { encodePickle } from '../../src/pickle/writer.ts'
import { uuidAddressRequest, uuidAddressResponse } from '../../src/protocol/membership-messages.ts'
import {
  encodeMessage,
  encodeRequest,
  encodeResponse,
  type OutgoingMessage,
} from '../../src/protocol/messages.ts'
import { addressOf, DrivenMachine, ownAddress } from './driven-machine.ts'

/** UUID 2 of six; 1, 3 and 4 are its neighbours. */
function secondOfSix(limits = {}): ReturnType<typeof DrivenMachine.member> {
  return DrivenMachine.member({
    uuid: 2,
    adder: 1,
    others: [0, 3, 4, 5],
    neighbours: [3, 4],
    limits,
  })
}

/** An answer as its reader sees it. */
function answerOf(contents: OutgoingMessage, requestId: string): PyValue {
  return decodePickle(encodePickle(encodeResponse(encodeMessage(contents), requestId)))
}

/** A request from the node with this UUID, as it goes over a wire. */
function requestOf(uuid: number, contents: OutgoingMessage, requestId = 'ABC123'): PyRequest {
  const fields = encodeMessage(contents)
  return encodeRequest({ callbackAddress: addressOf(uuid), requestId, contents: fields })
}

function ask(driven: DrivenMachine, command: number, uuid: number, timeoutMs = 1_000): void {
  const fields = encodeMessage({ type: 'ADD', data: 1 })
  driven.command({ type: 'request', command, target: { uuid }, fields, timeoutMs })
}

/** The id of the request that went over this link. */
function idAt(driven: DrivenMachine, link: number | undefined): string {
  const [request] = driven.heard(link)
  return request instanceof PyRequest ? String(request.state.get('request_id')) : ''
}

describe('own requests', () => {
  test('the answer reaches whoever asked, without the id; a second answer nobody', () => {
    const { driven, links } = secondOfSix()
    ask(driven, 9, 3)
    const id = idAt(driven, links.get(3))
    driven.sayValue(links.get(3), answerOf({ type: 'SUM', data: 2 }, id))
    const fields = encodeMessage({ type: 'SUM', data: 2 })
    const response = { type: 'SUM', data: 2, fields }
    expect(driven.effects).toEqual([{ type: 'done', command: 9, response }])
    driven.sayValue(links.get(3), answerOf({ type: 'SUM', data: 2 }, id))
    expect(driven.effects).toEqual([])
  })

  test('one that is not answered in time fails, and is not even sent when a link comes later', () => {
    const { driven } = secondOfSix()
    const fields = encodeMessage({ type: 'ADD' })
    const target = { address: addressOf(9) }
    driven.command({ type: 'request', command: 9, target, fields, timeoutMs: 1_000 })
    const { dial } = driven
    driven.pass(1_000)
    expect(driven.answers).toEqual(new Map([[9, 'P2P_REQUEST_TIMEOUT']]))
    const link = driven.open(dial)
    driven.sayValue(
      link,
      new Map<PyValue, PyValue>([
        ['HOST', '127.0.0.1'],
        ['PORT', 5_009],
      ]),
    )
    expect(driven.heard(link)).toEqual([])
  })

  test('maxRequests wait for answers, one more fails at once', () => {
    const { driven } = secondOfSix({ maxRequests: 2 })
    const codes = [7, 8, 9].map((command) => {
      ask(driven, command, 3)
      return driven.answers.get(command)
    })
    expect(codes).toEqual([undefined, undefined, 'P2P_TOO_BUSY'])
  })

  test('one that is too large for a Python node fails', () => {
    const { driven } = secondOfSix({ maxFrameBytesToPython: 400 })
    const fields = encodeMessage({ type: 'ADD', data: 'x'.repeat(400) })
    driven.command({ type: 'request', command: 9, target: { uuid: 3 }, fields, timeoutMs: 1_000 })
    expect(driven.answers).toEqual(new Map([[9, 'P2P_MESSAGE_TOO_LARGE']]))
  })

  test('those that wait fail when the node leaves', () => {
    const { driven } = secondOfSix()
    ask(driven, 9, 3)
    driven.command({ type: 'leave', command: 10 })
    expect(driven.answers.get(9)).toBe('P2P_LEFT')
    expect(driven.machine.state.pendingRequests).toBe(0)
  })
})

describe('requests of others', () => {
  test('maxIncomingRequests are kept for an answer, the oldest is forgotten for one more', () => {
    const { driven, links } = secondOfSix({ maxIncomingRequests: 2 })
    const tokens = ['AAAAAA', 'BBBBBB', 'CCCCCC'].map((id) => {
      driven.sayValue(links.get(3), requestOf(3, { type: 'ADD' }, id))
      const received = driven.effects.find(({ type }) => type === 'request-received')
      return received?.type === 'request-received' ? received.request : -1
    })
    const fields = encodeMessage({ type: 'SUM' })
    const answers = tokens.map((request, command) => {
      driven.command({ type: 'respond', command, request, fields })
      return driven.answers.get(command)
    })
    expect(answers).toEqual(['P2P_REQUEST_GONE', 'done', 'done'])
  })

  test('maxIncomingRequestBytes bounds what they weigh together; what was answered weighs nothing', () => {
    const { driven, links } = secondOfSix({ maxIncomingRequestBytes: 2_500 })
    const ask = (id: string, length: number): number => {
      const request = requestOf(3, { type: 'ADD', data: 'x'.repeat(length) }, id)
      driven.sayValue(links.get(3), request)
      const received = driven.effects.find(({ type }) => type === 'request-received')
      return received?.type === 'request-received' ? received.request : -1
    }
    const answer = (request: number): string | undefined => {
      driven.command({
        type: 'respond',
        command: request,
        request,
        fields: encodeMessage({ type: 'SUM' }),
      })
      return driven.answers.get(request)
    }
    const first = ask('AAAAAA', 1_000)
    expect(answer(first)).toBe('done')
    const [second, third, fourth] = [ask('BBBBBB', 900), ask('CCCCCC', 900), ask('DDDDDD', 900)]
    expect([second, third, fourth].map(answer)).toEqual(['P2P_REQUEST_GONE', 'done', 'done'])
    // One that is too heavy by itself is the application's to answer all the same.
    const heavy = ask('EEEEEE', 3_000)
    expect(answer(heavy)).toBe('done')
  })

  test('an answer that the requester cannot take leaves room for another one', () => {
    const { driven, links } = secondOfSix({ maxFrameBytesToPython: 400 })
    driven.sayValue(links.get(3), requestOf(3, { type: 'ADD' }))
    const received = driven.effects.find(({ type }) => type === 'request-received')
    const request = received?.type === 'request-received' ? received.request : -1
    const codes = ['x'.repeat(400), 'x', 'x'].map((data) => {
      const fields = encodeMessage({ type: 'SUM', data })
      driven.command({ type: 'respond', command: 9, request, fields })
      return driven.answers.get(9)
    })
    expect(codes).toEqual(['P2P_MESSAGE_TOO_LARGE', 'done', 'P2P_REQUEST_GONE'])
  })

  test('one that could not be bounced, or answered where it came from, may be answered again', () => {
    const { driven, links } = secondOfSix()
    driven.sayValue(links.get(3), requestOf(60, { type: 'ADD' }))
    const received = driven.effects.find(({ type }) => type === 'request-received')
    const request = received?.type === 'request-received' ? received.request : -1
    driven.command({ type: 'bounce', command: 8, request, target: { uuid: 77 } })
    expect(driven.answers).toEqual(new Map([[8, 'P2P_UUID_UNKNOWN']]))
    driven.command({ type: 'bounce', command: 9, request, target: { address: addressOf(70) } })
    driven.refuseDial()
    expect(driven.answers).toEqual(new Map([[9, 'P2P_CONNECTION_REFUSED']]))
    const fields = encodeMessage({ type: 'SUM' })
    driven.command({ type: 'respond', command: 10, request, fields })
    driven.refuseDial()
    expect(driven.answers).toEqual(new Map([[10, 'P2P_CONNECTION_REFUSED']]))
    driven.command({ type: 'respond', command: 11, request, fields })
    driven.takeDial(60)
    expect(driven.answers).toEqual(new Map([[11, 'done']]))
    driven.command({ type: 'respond', command: 12, request, fields })
    expect(driven.answers).toEqual(new Map([[12, 'P2P_REQUEST_GONE']]))
  })

  test('whoever is no member is not asked about addresses, nor is an address without UUID', () => {
    const { driven, links } = secondOfSix()
    const question = uuidAddressRequest(3, addressOf(9))
    driven.sayValue(driven.meet(9), requestOf(9, question))
    expect(driven.effects).toEqual([])
    driven.sayValue(links.get(3), requestOf(3, { type: 'UUID ADDRESS REQUEST', data: 'who?' }))
    expect(driven.effects).toEqual([])
  })

  test('addresses of neighbours and our own are told; a question about others goes to the nearest', () => {
    const { driven, links } = secondOfSix()
    const about = (uuid: number, id: string): void =>
      driven.sayValue(links.get(3), requestOf(3, uuidAddressRequest(uuid, addressOf(3)), id))
    about(4, 'AAAAAA')
    expect(driven.heard(links.get(3))).toEqual([
      answerOf(uuidAddressResponse(4, addressOf(4)), 'AAAAAA'),
    ])
    about(2, 'BBBBBB')
    expect(driven.heard(links.get(3))).toEqual([
      answerOf(uuidAddressResponse(2, ownAddress), 'BBBBBB'),
    ])
    about(5, 'CCCCCC')
    expect(idAt(driven, links.get(4))).toBe('CCCCCC')
    about(5, 'CCCCCC') // it comes round: the next nearest, until all had it
    expect(idAt(driven, links.get(1))).toBe('CCCCCC')
    about(5, 'CCCCCC')
    expect(driven.effects).toEqual([])
  })

  test('maxRememberedSearches are remembered: an older one is passed on as if it were new', () => {
    const { driven, links } = secondOfSix({ maxRememberedSearches: 1 })
    const passedTo4 = ['AAAAAA', 'AAAAAA', 'BBBBBB', 'AAAAAA'].map((id) => {
      driven.sayValue(links.get(3), requestOf(3, uuidAddressRequest(5, addressOf(3)), id))
      return driven.heard(links.get(4)).length
    })
    expect(passedTo4).toEqual([1, 0, 1, 1])
  })

  test('answers are dialled to strangers at a limited rate; beyond it they are dropped, or fail', () => {
    const { driven, links } = secondOfSix({ maxPeerDialsPerSecond: 0.1 }) // and a burst of one
    const tokens: number[] = []
    for (const name of [60, 61, 62]) {
      driven.sayValue(links.get(3), requestOf(name, { type: 'ADD' }, 'AAAAAA'))
      for (const effect of driven.effects) {
        if (effect.type === 'request-received') tokens.push(effect.request)
      }
    }
    driven.sayValue(links.get(3), requestOf(63, { type: 'TEST' }))
    expect(driven.dialled).toEqual(['tcp://127.0.0.1:5063'])
    driven.sayValue(links.get(3), requestOf(64, { type: 'TEST' }))
    expect([driven.dialled, driven.rejected]).toEqual([[], ['P2P_TOO_BUSY']])
    const fields = encodeMessage({ type: 'SUM' })
    driven.command({ type: 'respond', command: 9, request: tokens[0] ?? -1, fields })
    expect(driven.answers).toEqual(new Map([[9, 'P2P_TOO_BUSY']]))
  })
})

test('answers that strangers make us dial, or one neighbour does, use up nobody else’s', () => {
  const { driven, links } = secondOfSix({ maxPeerDialsPerSecond: 0.1 }) // and a burst of one
  const [stranger, another] = [driven.meet(80, null), driven.meet(81, null)]
  const dialled = [stranger, another, links.get(3), links.get(3), links.get(4)].map(
    (link, name) => {
      driven.sayValue(link, requestOf(60 + name, { type: 'TEST' }))
      return driven.dialled.length
    },
  )
  expect(dialled).toEqual([1, 0, 1, 0, 1])
})

describe('what is not heard', () => {
  test('something that means nothing is reported, and the link stays', () => {
    const driven = new DrivenMachine()
    const link = driven.meet(1)
    driven.sayValue(link, [1, 2])
    expect(driven.rejected).toEqual(['P2P_BAD_MESSAGE'])
    expect(driven.closed).toEqual([])
  })

  test('a node that is in no network says nothing but what strangers may', () => {
    const driven = new DrivenMachine()
    const link = driven.meet(1, null)
    driven.say(link, { type: 'NEWS', data: 1 })
    driven.sayValue(link, requestOf(1, { type: 'ADD' }))
    expect(driven.effects).toEqual([])
    driven.say(link, { type: 'TEXT', data: 'hello' })
    expect(driven.types).toEqual(['message'])
  })

  test('a rest that a transport holds back is none of its business', () => {
    const driven = new DrivenMachine()
    const input = { type: 'link-held', link: driven.meet(1), byteCount: 5 } as const
    expect(driven.machine.handle(input, { monoMs: 0, utcSeconds: 0 })).toEqual([])
  })
})
