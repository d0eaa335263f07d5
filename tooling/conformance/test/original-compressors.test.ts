import { expect, test } from '@jest/globals'
import { compressionMethods, decodeFrame, encodeFrame, createMessage } from '@p2p/serializer'
import { compressAsOriginal, frameAround, rebuildFrame } from '../src/original-compressors.ts'
import { sha256Hex } from '../src/recorded-bytes.ts'
import { referenceSnappy } from '../src/reference-snappy.ts'

const message = createMessage({
  type: 0,
  sender: 'sender',
  time: 1_500_000_000,
  payload: [0, 'ab'.repeat(40_000), new Uint8Array(70_000), 'the end'],
})
const plain = encodeFrame(message).subarray(4)

test('what the reference compressor of snappy writes is read back', () => {
  const frame = frameAround(referenceSnappy(plain))
  expect(frame.length).toBeLessThan(plain.length / 10)
  const options = { methods: [compressionMethods.snappy] }
  expect(decodeFrame(frame, options).id).toEqual(message.id)
})

test('a frame is rebuilt when its digest is the recorded one, else there is a reason', () => {
  const frame = frameAround(referenceSnappy(plain))
  const recorded = { length: frame.length, sha256: sha256Hex(frame), head: '', tail: '' }
  expect(rebuildFrame(plain, 'snappy', recorded)).toEqual(frame)
  const other = { ...recorded, sha256: sha256Hex(plain) }
  expect(rebuildFrame(plain, 'snappy', other)).toMatch('only a digest of the frame was recorded')
  expect(compressAsOriginal(plain, 'context1')).toBe('no original compressor for context1')
})
