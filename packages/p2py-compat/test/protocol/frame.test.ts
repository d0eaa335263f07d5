import { describe, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import { encodePickle } from '../../src/pickle/writer.ts'
import { decodeFrame, encodeFrame, FrameSplitter } from '../../src/protocol/frame.ts'
import { encodeInfo } from '../../src/protocol/messages.ts'
import { P2pyMachine } from '../../src/protocol/machine.ts'
import { frameOf } from '../../src/protocol/outbox.ts'
import { codeThrown, joined, textOf, utf8 } from './wire.ts'

const seven = utf8('7 bytes')
const three = utf8('abc')

describe('encoding', () => {
  test('a frame is one array: the decimal length, left-aligned in ten characters, then the pickle', () => {
    expect(textOf(encodeFrame(seven))).toBe('7         7 bytes')
    expect(textOf(encodeFrame(new Uint8Array(53)).subarray(0, 10))).toBe('53        ')
  })

  test('what was encoded is decoded again', () => {
    expect(decodeFrame(encodeFrame(seven))).toEqual(seven)
  })
})

describe('splitting', () => {
  test('three frames cut in two at any byte are the same three pickles', () => {
    const pickles = [seven, three, new Uint8Array(12).fill(0x20)]
    const stream = joined(...pickles.map(encodeFrame))
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const splitter = new FrameSplitter()
      const first = splitter.push(stream.subarray(0, cut))
      expect([...first, ...splitter.push(stream.subarray(cut))]).toEqual(pickles)
      expect([splitter.bufferedBytes, splitter.end()]).toEqual([0, undefined])
    }
  })

  test('bytes that come one by one are the same pickles', () => {
    const splitter = new FrameSplitter()
    const stream = joined(encodeFrame(seven), encodeFrame(three))
    const pickles = [...stream].flatMap((byte) => splitter.push(Uint8Array.of(byte)))
    expect(pickles).toEqual([seven, three])
  })

  test('a frame waits for its last byte', () => {
    const splitter = new FrameSplitter()
    const frame = encodeFrame(seven)
    expect(splitter.push(frame.subarray(0, -1))).toEqual([])
    expect(splitter.bufferedBytes).toBe(seven.length - 1) // the header has been read
    expect(splitter.push(frame.subarray(-1))).toEqual([seven])
  })

  test('what is kept of a chunk is a copy, however small the pieces are', () => {
    const stream = joined(encodeFrame(seven), encodeFrame(three))
    for (const size of [1, 4, 16, 24]) {
      const splitter = new FrameSplitter()
      const chunk = new Uint8Array(size)
      const texts: string[] = []
      for (let start = 0; start < stream.length; start += size) {
        const part = stream.subarray(start, start + size)
        chunk.set(part) // into the same memory again
        texts.push(...splitter.push(chunk.subarray(0, part.length)).map(textOf))
      }
      expect(texts).toEqual(['7 bytes', 'abc'])
    }
  })

  test('a stream may end between frames, but not at any byte inside one', () => {
    const frame = encodeFrame(three)
    for (let cut = 1; cut < frame.length; cut += 1) {
      const splitter = new FrameSplitter()
      splitter.push(frame.subarray(0, cut))
      expect(splitter.end()?.code).toBe('P2P_FRAME_TRUNCATED')
    }
    expect(new FrameSplitter().end()).toBeUndefined()
  })
})

describe('limits', () => {
  test('a pickle of maxFrameBytes passes, one byte more is refused by its header alone', () => {
    const maxFrameBytes = 100
    expect(decodeFrame(encodeFrame(new Uint8Array(100)), { maxFrameBytes })).toHaveLength(100)
    const splitter = new FrameSplitter({ maxFrameBytes })
    expect(codeThrown(() => splitter.push(utf8('101       ')))).toBe('P2P_FRAME_TOO_LARGE')
  })

  test('the error names the limit and what came', () => {
    const splitter = new FrameSplitter({ maxFrameBytes: 100 })
    try {
      splitter.push(utf8('9999999999'))
    } catch (error) {
      expect(isP2pError(error) && error.facts).toEqual({ limit: 100, got: 9_999_999_999 })
    }
    expect.assertions(1)
  })

  test('exactly one frame is one frame: not none, not one and a piece, not two', () => {
    const frame = encodeFrame(three)
    for (const bytes of [new Uint8Array(0), joined(frame, utf8('1')), joined(frame, frame)])
      expect(codeThrown(() => decodeFrame(bytes))).toBe('P2P_FRAME_TRUNCATED')
  })
})

describe('headers', () => {
  test('a length may stand anywhere between spaces, as Python reads it', () => {
    for (const header of ['3         ', '         3', '    3     ', '0000000003', '+3        '])
      expect(decodeFrame(joined(utf8(header), three))).toEqual(three)
  })

  test('what is no positive decimal number is refused', () => {
    const bad = ['          ', '0         ', '-3        ', '3 3       ', '3.0       ', '0x3       ']
    for (const header of [...bad, '3e0       ', '3_0       ', '\u0000\u0000\u0000\u0003      '])
      expect(codeThrown(() => new FrameSplitter().push(utf8(header)))).toBe('P2P_FRAME_HEADER')
  })

  test('a link with an unreadable header is closed, and the good frame behind it is not taken', () => {
    const machine = new P2pyMachine({
      address: { host: '127.0.0.1', port: 4444 },
      randomBytes: (count) => new Uint8Array(count),
    })
    const now = { monoMs: 0, utcSeconds: 0 }
    const remote = 'tcp://127.0.0.1:50000'
    machine.handle({ type: 'link-open', link: 1, transport: 'tcp', remote, dial: undefined }, now)
    const address = { host: '127.0.0.1', port: 4445 }
    const bytes = joined(
      frameOf(encodeInfo({ address, uuid: null, isOurs: false })),
      frameOf(true),
      utf8('rubbish!!!'),
      encodeFrame(encodePickle({ type: 'TEXT', data: 'behind it' })),
    )
    const effects = machine.handle({ type: 'link-bytes', link: 1, bytes }, now)
    expect(effects).toContainEqual(
      expect.objectContaining({
        type: 'close',
        link: 1,
        reason: expect.objectContaining({ code: 'P2P_FRAME_HEADER' }),
      }),
    )
    expect(effects.map(({ type }) => type)).not.toContain('message')
  })
})
