import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { concatBytes, DecodeError, FrameSplitter, toHex } from '@p2p/serializer'

const frameOf = (block: Uint8Array): Uint8Array => {
  const header = new Uint8Array(4)
  new DataView(header.buffer).setUint32(0, block.length)
  return concatBytes(header, block)
}
const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof DecodeError) return error.code
    throw error
  }
  return 'no error'
}

test('any chunking gives the same frames', () => {
  const stream = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 900, maxLength: 5000 })),
    { maxLength: 12 },
  )
  const cuts = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 4000 })),
    {
      minLength: 1,
    },
  )
  fc.assert(
    fc.property(stream, cuts, (blocks, lengths) => {
      const frames = blocks.map(frameOf)
      const bytes = concatBytes(...frames)
      const splitter = new FrameSplitter()
      const got: string[] = []
      for (let start = 0, i = 0; start < bytes.length; i++) {
        const end = Math.min(bytes.length, start + (lengths[i % lengths.length] ?? 1))
        for (const frame of splitter.push(bytes.slice(start, end))) got.push(toHex(frame))
        start = end
      }
      expect(got).toEqual(frames.map(toHex))
      expect(splitter.pendingBytes).toBe(0)
    }),
    { numRuns: 300 },
  )
})

test('a frame inside one chunk is a view of it, one over several chunks is a copy', () => {
  const frame = frameOf(new Uint8Array(2000).fill(7))
  const chunk = concatBytes(frame, frame, frame.subarray(0, 1500))
  const splitter = new FrameSplitter()
  const [first, second] = splitter.push(chunk)
  expect(first?.buffer).toBe(chunk.buffer)
  expect(second?.byteOffset).toBe(frame.length)
  expect(splitter.pendingBytes).toBe(1500)
  const [third] = splitter.push(frame.subarray(1500))
  expect(third).toEqual(frame)
})

test('an empty frame is a frame', () => {
  expect(new FrameSplitter().push(new Uint8Array(4))).toEqual([new Uint8Array(4)])
})

test('a length beyond the limit is an error as soon as it is known, and stays one', () => {
  const splitter = new FrameSplitter({ limits: { maxFrameBytes: 10 } })
  expect(splitter.push(frameOf(new Uint8Array(10)))).toHaveLength(1)
  splitter.push(new Uint8Array([0, 0, 0]))
  expect(codeOf(() => splitter.push(new Uint8Array([11])))).toBe('P2P_FRAME_TOO_LARGE')
  expect(codeOf(() => splitter.push(new Uint8Array([1])))).toBe('P2P_FRAME_TOO_LARGE')
  expect(splitter.pendingBytes).toBe(0)
})

test('frames in front of a wrong length are handed out, the error comes with the next call', () => {
  const splitter = new FrameSplitter({ limits: { maxFrameBytes: 10 } })
  const good = frameOf(new Uint8Array(3))
  expect(splitter.push(concatBytes(good, new Uint8Array([0, 0, 1, 0])))).toEqual([good])
  expect(codeOf(() => splitter.push(new Uint8Array(0)))).toBe('P2P_FRAME_TOO_LARGE')
})

test('a stream of single bytes is gathered', () => {
  const frame = frameOf(new Uint8Array(20_000).fill(3))
  const splitter = new FrameSplitter()
  const frames: Uint8Array[] = []
  for (const byte of frame) frames.push(...splitter.push(new Uint8Array([byte])))
  expect(frames).toEqual([frame])
})
