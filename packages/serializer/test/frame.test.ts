import { deflateSync } from 'node:zlib'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  compressionMethods,
  concatBytes,
  createMessage,
  DecodeError,
  decodeFrame,
  decodeMessage,
  EncodeError,
  encodeFrame,
  encodeValue,
  flags,
  Float,
  fromHex,
  looksCompressed,
  messageFromBody,
  openFrame,
  sha256,
  toHex,
  utf8Encode,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { value } from './arbitrary.ts'

const fields = {
  type: flags.broadcast,
  sender: utf8Encode('sender'),
  time: 1_500_000_000,
  payload: [flags.broadcast, utf8Encode('hello')],
}
// Recorded from py2p 0.7.870 and js2p 0.7.870.
const framePy2p =
  '00000037035e5dc28686f5f61e66900c58ef84c97be803af0a80d7cd7d74edd9bc91f292' +
  '9500c40673656e646572ce59682f0000c40568656c6c6f'
const frameJs2p =
  '00000036ae1367ce81401074427f1d3441550bb79db4f6857557faf4b2f758e3f32686df' +
  '9500a673656e646572ce59682f0000c40568656c6c6f'

const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof DecodeError || error instanceof EncodeError) return error.code
    throw error
  }
  return 'no error'
}
const frameOf = (block: Uint8Array): Uint8Array => {
  const header = new Uint8Array(4)
  new DataView(header.buffer).setUint32(0, block.length)
  return concatBytes(header, block)
}
const frameOfBody = (body: Uint8Array): Uint8Array => encodeFrame({ body, id: sha256(body) })

test('a message is framed byte for byte as py2p and js2p frame it', () => {
  expect(toHex(encodeFrame(createMessage(fields)))).toBe(framePy2p)
  expect(toHex(encodeFrame(createMessage({ ...fields, sender: 'sender' })))).toBe(frameJs2p)
})

test('a frame of js2p is read with its text sender', () => {
  const message = decodeFrame(fromHex(frameJs2p))
  expect(message).toMatchObject({ type: 0, sender: 'sender', time: 1_500_000_000 })
  expect(message.payload).toEqual([0, utf8Encode('hello')])
  expect(message.tail).toHaveLength(0)
  expect(toHex(message.id)).toBe(frameJs2p.slice(8, 72))
  expect(toHex(message.body)).toBe(frameJs2p.slice(72))
})

test.each([
  undefined,
  ...Object.values(compressionMethods).filter((m) => m !== 0x10 && m !== 0x12),
])('a message survives method %p, and its id and body do not change', (method) => {
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 5 }),
      fc.uint8Array({ maxLength: 8 }),
      (payload, tail) => {
        const message = createMessage({ ...fields, payload, tail })
        const frame = encodeFrame(message, { method })
        const read = decodeFrame(frame)
        expect(toHex(read.body)).toBe(toHex(message.body))
        expect(toHex(read.id)).toBe(toHex(sha256(message.body)))
        expect(toHex(read.tail)).toBe(toHex(tail))
        expect(toHex(encodeValue(read.payload))).toBe(toHex(encodeValue(payload)))
        expect(toHex(encodeFrame(read))).toBe(toHex(encodeFrame(message)))
      },
    ),
    { numRuns: 60 },
  )
})

test('compression is used only where it makes the frame smaller', () => {
  const small = createMessage(fields)
  expect(encodeFrame(small, { method: compressionMethods.zlib })).toBe(encodeFrame(small))
  const large = createMessage({ ...fields, payload: [0, 'a'.repeat(5000)] })
  const compressed = encodeFrame(large, { method: compressionMethods.zlib })
  expect(compressed.length).toBeLessThan(200)
  expect(decodeFrame(compressed).payload).toEqual(large.payload)
  expect(() => encodeFrame(large, { method: compressionMethods.bz2 })).toThrow(EncodeError)
})

test('a relayed message goes out as the very frame that came in', () => {
  const frame = fromHex(framePy2p)
  expect(encodeFrame(decodeFrame(frame))).toBe(frame)
  expect(encodeFrame(openFrame(frame))).toEqual(frame)
})

test('a body that is read from elsewhere makes the same message', () => {
  const frame = fromHex(framePy2p)
  const { body, id } = decodeFrame(frame)
  expect(encodeFrame(messageFromBody(body))).toEqual(frame)
  expect(encodeFrame(decodeMessage({ body, id }))).toEqual(frame)
  expect(encodeFrame({ body, id })).toEqual(frame)
})

test('frames cut or changed anywhere are refused', () => {
  const frame = fromHex(framePy2p)
  for (let length = 0; length < frame.length; length++) {
    expect(codeOf(() => decodeFrame(frame.subarray(0, length)))).toMatch(/^P2P_(FRAME_LENGTH)$/)
  }
  for (let at = 0; at < frame.length; at++) {
    const changed = frame.slice()
    changed[at] = (changed[at] ?? 0) ^ 1
    const expected = at < 4 ? /^P2P_FRAME_(LENGTH|TOO_LARGE)$/ : /^P2P_CHECKSUM_MISMATCH$/
    expect(codeOf(() => decodeFrame(changed))).toMatch(expected)
    expect(codeOf(() => openFrame(changed))).toMatch(expected)
  }
})

test.each<[string, Value]>([
  ['text as type', ['0', 'me', 1, 0]],
  ['nil as sender', [0, null, 1, 0]],
  ['a fractional time', [0, 'me', 1.5, 0]],
  ['text as time', [0, 'me', '1', 0]],
  ['a time beyond 2^53', [0, 'me', 2n ** 60n, 0]],
  ['two elements', [0, 'me']],
])('a body with %s is no message', (_, body) => {
  expect(codeOf(() => decodeFrame(frameOfBody(encodeValue(body))))).toBe('P2P_MESSAGE_HEADER')
})

test('a value that fits by itself fits into a message, and what a reader refuses is not written', () => {
  const nested = (levels: number): Value => (levels === 0 ? 'core' : [nested(levels - 1)])
  const ones = (count: number): Value => new Array<number>(count).fill(1)
  const sent = (value: Value): Value =>
    decodeFrame(encodeFrame(createMessage({ ...fields, payload: [flags.broadcast, value] })))
      .payload[1] as Value
  for (const value of [nested(64), ones(262_144)]) expect(sent(value)).toEqual(value)
  expect(codeOf(() => sent(nested(65)))).toBe('P2P_ENCODE_TOO_DEEP')
  expect(codeOf(() => sent([ones(262_144), ones(1_000)]))).toBe('P2P_ENCODE_TOO_LARGE')
})

test('a body that is no array is no message', () => {
  const code = codeOf(() => decodeFrame(frameOfBody(encodeValue({ a: 1 }))))
  expect(code).toBe('P2P_MESSAGE_NOT_ARRAY')
})

test('whole floats, as js2p writes large integers, are integers in the header', () => {
  const body = encodeValue([new Float(0), 'me', new Float(4_000_000_000), new Float(0)])
  const message = decodeFrame(frameOfBody(body))
  expect(message).toMatchObject({ type: 0, time: 4_000_000_000 })
  expect(message.payload).toEqual([new Float(0)])
})

test.each<[string, object]>([
  ['a fractional time', { time: 1.5 }],
  ['a text type', { type: '0' }],
  ['an id of the wrong kind', { sender: 5 }],
  ['undefined in the payload', { payload: [0, undefined] }],
])('%s is not sent', (_, wrong) => {
  const broken = { ...fields, ...wrong } as typeof fields
  expect(codeOf(() => createMessage(broken))).toBe('P2P_ENCODE_TYPE')
})

test('bytes of a message that is not msgpack are refused although the checksum is right', () => {
  expect(codeOf(() => decodeFrame(frameOfBody(fromHex('9400c40141ce59682f00c1'))))).toBe(
    'P2P_MSGPACK_INVALID',
  )
})

test('of a message read with lazyPayload the rest is decoded, and refused, when it is asked for', () => {
  const sound = decodeFrame(fromHex(framePy2p), { lazyPayload: true })
  expect(sound.time).toBe(1_500_000_000)
  expect(toHex(encodeFrame(sound))).toBe(framePy2p)
  expect(sound.payload).toEqual(decodeFrame(fromHex(framePy2p)).payload)
  expect(sound.payload).toBe(sound.payload)
  expect(sound.tail).toHaveLength(0)

  const frame = frameOfBody(fromHex('9500c40141ce59682f0000c1'))
  const damaged = decodeFrame(frame, { lazyPayload: true })
  expect(damaged.sender).toEqual(fromHex('41'))
  expect(encodeFrame(damaged)).toEqual(frame)
  for (let time = 0; time < 2; time++) {
    expect(codeOf(() => damaged.payload)).toBe('P2P_MSGPACK_INVALID')
    expect(codeOf(() => damaged.tail)).toBe('P2P_MSGPACK_INVALID')
  }
  const wrongHead = frameOfBody(fromHex('94c0c40141ce59682f00c1'))
  expect(codeOf(() => decodeFrame(wrongHead, { lazyPayload: true }))).toBe('P2P_MESSAGE_HEADER')
  expect(codeOf(() => decodeFrame(wrongHead))).toBe('P2P_MSGPACK_INVALID')
})

test('a frame is refused at maxFrameBytes + 1, not at maxFrameBytes', () => {
  const frame = fromHex(framePy2p)
  const at = (maxFrameBytes: number): string =>
    codeOf(() => decodeFrame(frame, { limits: { maxFrameBytes } }))
  expect(at(frame.length - 4)).toBe('no error')
  expect(at(frame.length - 5)).toBe('P2P_FRAME_TOO_LARGE')
})

test.each([compressionMethods.zlib, compressionMethods.gzip, compressionMethods.snappy])(
  'method %p inflates up to maxInflatedBytes, and not beyond',
  (method) => {
    const message = createMessage({ ...fields, payload: [0, 'a'.repeat(9000)] })
    const frame = encodeFrame(message, { method })
    const blockBytes = message.body.length + 32
    const at = (maxInflatedBytes: number): string =>
      codeOf(() => decodeFrame(frame, { limits: { maxInflatedBytes } }))
    expect(at(blockBytes)).toBe('no error')
    expect(at(blockBytes - 1)).toBe('P2P_INFLATED_TOO_LARGE')
    const byRatio = codeOf(() => decodeFrame(frame, { limits: { maxInflationRatio: 2 } }))
    expect(byRatio).toBe('P2P_INFLATED_TOO_LARGE')
  },
)

test('a bomb of 130 KiB that inflates to 128 MiB is refused', () => {
  const bomb = frameOf(new Uint8Array(deflateSync(Buffer.alloc(128 * 1024 * 1024), { level: 9 })))
  expect(bomb.length).toBeLessThan(140_000)
  expect(codeOf(() => decodeFrame(bomb))).toBe('P2P_INFLATED_TOO_LARGE')
})

test('only the methods that the caller names are tried', () => {
  const message = createMessage({ ...fields, payload: [0, 'a'.repeat(900)] })
  const frame = encodeFrame(message, { method: compressionMethods.gzip })
  const methods = [compressionMethods.zlib]
  expect(codeOf(() => decodeFrame(frame, { methods }))).toBe('P2P_CHECKSUM_MISMATCH')
})

test('arbitrary blocks are refused with a DecodeError', () => {
  const block = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => concatBytes(fromHex('789c'), bytes)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => concatBytes(fromHex('1f8b08'), bytes)),
  )
  fc.assert(
    fc.property(block, (bytes) => {
      expect(codeOf(() => decodeFrame(frameOf(bytes)))).toMatch(/^P2P_/)
    }),
    { numRuns: 500 },
  )
})

test('a block is compressed when it would be taken for compressed, and otherwise only when it shrinks', () => {
  const { zlib } = compressionMethods
  for (let time = 1_500_000_000, unlucky = 0; unlucky < 3; time += 1) {
    const message = createMessage({ ...fields, time })
    const isPlain = toHex(encodeFrame(message, { method: zlib })) === toHex(encodeFrame(message))
    expect(isPlain).toBe(!looksCompressed(message.id))
    if (!isPlain) unlucky += 1
  }
})

test.each([
  ['9503a16105c303', 1],
  ['dc000503a16105c303', 3],
  ['dd0000000503a16105c303', 5],
])('a message is read behind an array header of any width: %s', (hex, headerBytes) => {
  const { type, sender, time, payload, tail } = messageFromBody(fromHex(hex))
  expect({ type, sender, time, payload }).toEqual({
    type: 3,
    sender: 'a',
    time: 5,
    payload: [true, 3],
  })
  expect(toHex(tail)).toBe('')
  expect(hex.length / 2).toBe(headerBytes + 6)
})

test('a body without any byte is no message, and a frame needs an id of 32 bytes', () => {
  expect(codeOf(() => messageFromBody(new Uint8Array(0)))).toBe('P2P_MESSAGE_NOT_ARRAY')
  expect(() => encodeFrame({ body: fromHex('9503'), id: new Uint8Array(31) })).toThrow(RangeError)
})
