import { expect, test } from '@jest/globals'
import {
  createMessage,
  decodeFrame,
  encodeFrame,
  flags,
  fromHex,
  messageFromBody,
  toHex,
} from '@p2p/serializer'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

test('a message is framed byte for byte as py2p frames it', () => {
  const message = createMessage({
    type: flags.broadcast,
    sender: text('sender'),
    time: 1_500_000_000,
    payload: [flags.broadcast, text('hello')],
  })
  expect(toHex(encodeFrame(message))).toBe(
    '00000037035e5dc28686f5f61e66900c58ef84c97be803af0a80d7cd7d74edd9bc91f292' +
      '9500c40673656e646572ce59682f0000c40568656c6c6f',
  )
})

test('a frame of js2p is read with its text sender', () => {
  const frame = fromHex(
    '00000036ae1367ce81401074427f1d3441550bb79db4f6857557faf4b2f758e3f32686df' +
      '9500a673656e646572ce59682f0000c40568656c6c6f',
  )
  const message = decodeFrame(frame)
  expect(message).toMatchObject({ type: 0, sender: 'sender', time: 1_500_000_000 })
  expect(message.payload).toEqual([0, text('hello')])
  expect(message.tail).toHaveLength(0)
})

test('a body that is no array and one that is too short are refused by different codes', () => {
  const codeOf = (body: string): unknown => {
    try {
      return messageFromBody(fromHex(body))
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  }
  expect(codeOf('81a16105')).toBe('P2P_MESSAGE_NOT_ARRAY')
  expect(codeOf('9202c40141')).toBe('P2P_MESSAGE_HEADER')
})
