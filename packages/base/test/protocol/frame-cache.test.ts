import { expect, test } from '@jest/globals'
import {
  compressionMethods,
  createMessage,
  decodeFrame,
  encodeFrame,
  type WireMessage,
} from '@p2p/serializer'
import { FrameCache } from '../../src/protocol/frame-cache.ts'

const { zlib } = compressionMethods

function message(bytes: Uint8Array): WireMessage {
  return createMessage({ type: 0, sender: 'me', time: 1_500_000_000, payload: [0, bytes] })
}

/** Bytes that no compressor makes shorter. */
function noise(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}

test('a message that shrinks is compressed, once for all links', () => {
  const frames = new FrameCache()
  const text = message(new Uint8Array(4_096).fill(7))
  const frame = frames.frame(text, zlib)
  expect(frame.length).toBeLessThan(200)
  expect(decodeFrame(frame).id).toEqual(text.id)
  expect(frames.frame(text, zlib)).toBe(frame)
})

test('a message that looks random, a small one, and one without a method stay plain', () => {
  const frames = new FrameCache()
  for (const [bytes, method] of [
    [noise(4_096), zlib],
    [noise(600), zlib],
    [new Uint8Array(100), zlib],
    [new Uint8Array(4_096), undefined],
  ] as const) {
    const plain = message(bytes)
    expect(frames.frame(plain, method)).toEqual(encodeFrame(plain))
  }
})

test('a message that came plain goes on in the same frame, one that came compressed is made anew', () => {
  const frames = new FrameCache()
  const received = message(new Uint8Array(4_096).fill(7))
  const plain = encodeFrame(received)
  frames.noteReceived(received, plain)
  expect(frames.frame(received, zlib)).toBe(plain)
  const other = message(new Uint8Array(4_096).fill(8))
  const compressed = encodeFrame(other, { method: zlib })
  frames.noteReceived(other, compressed)
  expect(frames.frame(other, zlib)).not.toBe(compressed)
  expect(decodeFrame(frames.plain(other)).id).toEqual(other.id)
})
