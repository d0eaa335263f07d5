// Frames recorded from p2py, and bad input: what is read, what is refused, what is written.
import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import { decodePickle } from '../../src/pickle/reader.ts'
import type { PyValue } from '../../src/pickle/values.ts'
import { encodePickle } from '../../src/pickle/writer.ts'
import { decodeFrame, encodeFrame } from '../../src/protocol/frame.ts'
import { frameBytes, fromTagged, readFixture } from '../fixtures/tagged.ts'
import type { FrameHex, Sharing, Tagged } from '../fixtures/tagged.ts'

interface FrameCase {
  name: string
  frames: Record<string, string | { length: number; sha256: string }>
  decoded: Tagged
}
interface BadCase {
  name: string
  category: string
  frame: FrameHex
}

const longValues: Record<string, PyValue> = {
  'TEXT with bytes of 70000': new Map<PyValue, PyValue>([
    ['type', 'TEXT'],
    ['data', new Uint8Array(70000).fill(0x7a)],
  ]),
  'list of 3000': new Map<PyValue, PyValue>([
    ['type', 'TEXT'],
    ['data', Array.from({ length: 3000 }, (_, index) => index)],
  ]),
}

function decodeOne(frame: Uint8Array): PyValue {
  return decodePickle(decodeFrame(frame))
}

const { cases } = readFixture<{ cases: FrameCase[] }>('frames')

describe.each(cases)('frame $name', ({ name, frames, decoded }) => {
  const value = decoded.t === 'long' ? longValues[name]! : fromTagged(decoded)

  test.each(Object.entries(frames))('is read under protocol %s', (_protocol, frame) => {
    if (typeof frame !== 'string') return
    expect(decodeOne(frameBytes(frame))).toEqual(value)
  })

  test('is written byte for byte as Python 3.8 and newer write it', () => {
    const theirs = frames['4']!
    if (typeof theirs !== 'string') {
      const ours = encodeFrame(encodePickle(value))
      expect(createHash('sha256').update(ours).digest('hex')).toBe(theirs.sha256)
      return
    }
    const sharings: Sharing[] = ['nothing', 'tuples', 'everything']
    const ours = sharings.map((sharing) =>
      Buffer.from(
        encodeFrame(encodePickle(decoded.t === 'long' ? value : fromTagged(decoded, sharing))),
      ).toString('hex'),
    )
    expect(ours).toContain(theirs)
  })
})

const decodes = new Set(['odd-but-legal', 'field-type'])

describe.each(readFixture<{ cases: BadCase[] }>('malformed').cases)(
  'bad input $name',
  ({ category, frame }) => {
    test(decodes.has(category) ? 'is plain data' : 'is refused with a code', () => {
      let outcome: unknown
      try {
        decodeOne(frameBytes(frame))
      } catch (error) {
        outcome = error
      }
      if (decodes.has(category)) expect(outcome).toBeUndefined()
      else expect(isP2pError(outcome) && outcome.code).toMatch(/^P2P_(PICKLE|FRAME)_/)
    })
  },
)
