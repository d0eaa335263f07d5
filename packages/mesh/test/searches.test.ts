import { expect, test } from '@jest/globals'
import { createMessage, flags, utf8Encode, type Value, type WireMessage } from '@p2p/serializer'
import { encodeTail } from '../src/protocol/message-tail.ts'
import {
  answerableTail,
  answerableWanted,
  peerNotFound,
  searchAnswer,
  Searches,
} from '../src/protocol/searches.ts'

const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 0 })
const later = at(1_000_000)
const address = 'tcp://10.0.0.7:4444'

/** One search for the node "wanted", by request 7, until 10 s; and its id. */
function opened(): readonly [Searches, string] {
  const searches = new Searches((count) => new Uint8Array(count).fill(1))
  const options = { request: 7, timeoutMs: 10_000 }
  const search = searches.open('wanted', question('any', 'any', false), options, at(0))
  return [searches, search?.searchId ?? '']
}

function question(searchId: Value, wanted: Value, isMarked: boolean): WireMessage {
  const payload = [flags.request, searchId, wanted]
  const tail = isMarked ? encodeTail(answerableTail) : new Uint8Array(0)
  return createMessage({ type: flags.broadcast, sender: 'a', time: 1, payload, tail })
}

test('a question is answered unless it looks like one of js2p, which drops the link of the answer', () => {
  const js2pId = 'z'.repeat(66)
  expect(answerableWanted(question('short', 'wanted', false))).toBe('wanted')
  expect(answerableWanted(question(utf8Encode('short'), utf8Encode('wanted'), false))).toBe(
    'wanted',
  )
  expect(answerableWanted(question(js2pId, 'wanted', false))).toBeUndefined()
  expect(answerableWanted(question(js2pId, 'wanted', true))).toBe('wanted')
})

test("a question with fields of other kinds is nobody's", () => {
  expect(answerableWanted(question(7, 'wanted', true))).toBeUndefined()
  expect(answerableWanted(question('short', [1], true))).toBeUndefined()
})

test('an answer repeats the search id as it came and names address and id', () => {
  const payload = [flags.request, utf8Encode('id'), 'wanted']
  const found = { id: 'wanted', address: 'tcp://10.0.0.7:4444', addresses: [] }
  expect(searchAnswer(payload, found, 'tcp')).toEqual([
    flags.response,
    utf8Encode('id'),
    [['10.0.0.7', 4444], 'wanted'],
  ])
  const nowhere = { id: 'wanted', address: undefined, addresses: [] }
  expect(searchAnswer(payload, nowhere, 'tcp')).toBeUndefined()
})

test('an answer names an address of the transport that it leaves on, that of the link first', () => {
  const payload = [flags.request, 'id', 'wanted']
  const addresses = ['ws://10.0.0.8:81', 'tcp://10.0.0.7:4444', 'ws://10.0.0.7:80']
  const found = { id: 'wanted', address: 'ws://10.0.0.7:80', addresses }
  const pairOn = (transport: 'tcp' | 'ws' | 'tls'): unknown =>
    searchAnswer(payload, found, transport)?.[2]
  expect(pairOn('ws')).toEqual([['10.0.0.7', 80], 'wanted'])
  expect(pairOn('tcp')).toEqual([['10.0.0.7', 4444], 'wanted'])
  expect(pairOn('tls')).toBeUndefined()
})

test('an answer needs an id and an address, and nobody but the wanted node is dialled', () => {
  const payload = (id: Value): Value[] => [flags.request, id, 'wanted']
  const wanted = { id: 'wanted', addresses: [address] }
  expect(searchAnswer(payload('id').slice(0, 1), wanted, 'tcp')).toBeUndefined()
  const [searches, searchId] = opened()
  const answer = (found: Value): unknown =>
    searches.takeAnswer([flags.response, searchId, found], 'tcp')?.address
  expect(answer('nothing')).toBeUndefined()
  expect(answer([['10.0.0.7', 'port'], 'wanted'])).toBeUndefined()
  expect(answer([['10.0.0.7', 4444], 'other'])).toBeUndefined()
  const stray = [flags.response, 7, [['10.0.0.7', 4444], 'wanted']]
  expect(searches.takeAnswer(stray, 'tcp')).toBeUndefined()
  expect(answer([['10.0.0.7', 4444], 'wanted'])).toBe(address)
})

test('three answered addresses are dialled for one search, a fourth is not; the error counts them', () => {
  const [searches, searchId] = opened()
  const isDialled = (host: number): boolean => {
    const found = [[`10.0.0.${host}`, 4444], 'wanted']
    return searches.takeAnswer([flags.response, searchId, found], 'tcp') !== undefined
  }
  expect([1, 2, 3, 4].map(isDialled)).toEqual([true, true, true, false])
  const [expired] = searches.takeExpired(later)
  expect(expired && peerNotFound(expired).facts).toEqual({ dials: 3 })
  expect(expired && peerNotFound(expired).message).toContain('did not lead to it')
})

test('an address that several answer is dialled once, and leaves room for others', () => {
  const [searches, searchId] = opened()
  const hosts = [1, 1, 2, 1, 2, 3, 4]
  const dialled = hosts.filter((host) => {
    const found = [[`10.0.0.${host}`, 4444], 'wanted']
    return searches.takeAnswer([flags.response, searchId, found], 'tcp') !== undefined
  })
  expect(dialled).toEqual([1, 2, 3])
})

test('a search ends with its node found, given up, or late, once', () => {
  const found = opened()[0]
  expect(found.takeFound('other')).toEqual([])
  expect(found.takeFound('wanted')).toHaveLength(1)
  expect(found.takeExpired(later)).toEqual([])
  const givenUp = opened()[0]
  expect(givenUp.takeRequest(7)?.wanted).toBe('wanted')
  expect(givenUp.takeRequest(7)).toBeUndefined()
  const late = opened()[0]
  expect(late.takeExpired(at(9_999))).toEqual([])
  expect(late.takeExpired(at(10_000)).map(({ dialled }) => dialled.size)).toEqual([0])
  expect(late.nextDeadline()).toBe(Infinity)
})

test('after a while a search asks in the other form of the id, once', () => {
  const [searches] = opened()
  const dueMs = searches.nextDeadline()
  expect(searches.takeSecondForms(at(dueMs - 1))).toEqual([])
  expect(searches.takeSecondForms(at(dueMs))).toHaveLength(1)
  expect(searches.takeSecondForms(at(dueMs))).toEqual([])
})

test('1,024 searches are open, one more is refused', () => {
  let drawn = 0
  const searches = new Searches((count) => {
    drawn += 1
    return new Uint8Array(count)
      .fill(1)
      .fill(drawn & 255, 1, 2)
      .fill(drawn >> 8, 2, 3)
  })
  const options = { request: 1, timeoutMs: 10_000 }
  const message = question('a', 'b', false)
  for (let count = 0; count < 1_024; count += 1) searches.open('x', message, options, at(0))
  expect(searches.count).toBe(1_024)
  expect(searches.open('x', message, options, at(0))).toBeUndefined()
})
