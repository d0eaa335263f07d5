import { expect, test } from '@jest/globals'
import { createMessage, flags, utf8Encode, type Value, type WireMessage } from '@p2p/serializer'
import { encodeTail } from '../src/protocol/message-tail.ts'
import { answerableTail, answerableWanted, searchAnswer } from '../src/protocol/searches.ts'

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
  const found = { id: 'wanted', address: 'tcp://10.0.0.7:4444' }
  expect(searchAnswer(payload, found)).toEqual([
    flags.response,
    utf8Encode('id'),
    [['10.0.0.7', 4444], 'wanted'],
  ])
  expect(searchAnswer(payload, { id: 'wanted', address: undefined })).toBeUndefined()
})
