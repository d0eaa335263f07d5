import { expect, test } from '@jest/globals'
import { encodeFrame, messageFromBody } from '@p2p/serializer'
import { frameToKeep, messageIn } from '../src/protocol/kept-frame.ts'
import { broadcastOf, inChunk } from './tree-fixtures.ts'

test('a frame is copied out of a chunk that is much larger, and only then', () => {
  const message = broadcastOf('somebody', 'hello')
  const frame = encodeFrame(message)
  const enough = 8 * frame.length + 8_192
  const near = inChunk(message, enough)
  expect(frameToKeep(near)).toBe(encodeFrame(near))
  const kept = frameToKeep(inChunk(message, enough + 1))
  expect(kept).toEqual(frame)
  expect(kept.buffer.byteLength).toBe(frame.length)
  expect(messageIn(kept)).toMatchObject({ id: message.id, payload: message.payload })
})

test('a message that nests as deep as a node may be told to read is read again', () => {
  const head = broadcastOf('somebody', 0).body.subarray(0, -1)
  const body = Uint8Array.from([...head, ...new Uint8Array(500).fill(0x91), 0xc0])
  const message = messageFromBody(body, { limits: { maxDepth: 512 } })
  expect(messageIn(frameToKeep(message)).payload).toEqual(message.payload)
  expect(messageIn(frameToKeep(message), true).payload).toEqual(message.payload)
})
