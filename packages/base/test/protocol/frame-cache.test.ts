import { expect, test } from '@jest/globals'
import {
  compressionMethods,
  createMessage,
  decodeFrame,
  encodeFrame,
  looksCompressed,
  type WireMessage,
} from '@p2p/serializer'
import { defaultLimits, resolveLimits } from '../../src/protocol/limits.ts'
import { FrameCache } from '../../src/protocol/frame-cache.ts'

const { zlib } = compressionMethods

/** The first message with these bytes whose checksum begins, or does not begin, as a zlib header does. */
function message(bytes: Uint8Array, likeZlib = false): WireMessage {
  for (let time = 1_500_000_000; ; time += 1) {
    const candidate = createMessage({ type: 0, sender: 'me', time, payload: [0, bytes] })
    if (looksCompressed(candidate.id) === likeZlib) return candidate
  }
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
  const frames = new FrameCache(defaultLimits)
  const text = message(new Uint8Array(4_096).fill(7))
  const frame = frames.frame(text, zlib)
  expect(frame.length).toBeLessThan(200)
  expect(decodeFrame(frame).id).toEqual(text.id)
  expect(frames.frame(text, zlib)).toBe(frame)
})

test('a message that looks random, a small one, and one without a method stay plain', () => {
  const frames = new FrameCache(defaultLimits)
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
  const frames = new FrameCache(defaultLimits)
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

test('a message whose plain frame would be taken for compressed is compressed, also when it grows', () => {
  for (const bytes of [noise(4_096), new Uint8Array(10)]) {
    const frames = new FrameCache(defaultLimits)
    const unlucky = message(bytes, true)
    const plain = encodeFrame(unlucky)
    const frame = frames.frame(unlucky, zlib)
    expect(frame).not.toEqual(plain)
    expect(decodeFrame(frame).id).toEqual(unlucky.id)
    const relayed = new FrameCache(defaultLimits)
    relayed.noteReceived(unlucky, plain)
    expect(relayed.frame(unlucky, zlib)).toEqual(frame)
    expect(relayed.frame(unlucky, undefined)).toEqual(plain)
  }
})

test('frames are read within the ratio that the limits of the node give', () => {
  const frame = encodeFrame(message(new Uint8Array(4_096).fill(7)), { method: zlib })
  const codeAt = (maxInflationRatio: number): unknown => {
    const { reading } = new FrameCache(resolveLimits({ maxInflationRatio }))
    try {
      return decodeFrame(frame, reading).type
    } catch (error) {
      return (error as { readonly code?: string }).code
    }
  }
  expect([codeAt(1_100), codeAt(2)]).toEqual([0, 'P2P_INFLATED_TOO_LARGE'])
})
