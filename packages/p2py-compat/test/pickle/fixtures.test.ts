// Frames recorded from p2py, and bad input: what is read, what is refused, what is written.
import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { isP2pError } from '@p2p/base'
import { decodePickle } from '../../src/pickle/reader.ts'
import type { PyValue } from '../../src/pickle/values.ts'
import { encodePickle } from '../../src/pickle/writer.ts'
import { encodeFrame, FrameSplitter } from '../../src/protocol/frame.ts'
import { frameBytes, fromTagged, readFixture, type FrameHex, type Tagged } from '../fixtures/tagged.ts'

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
  const splitter = new FrameSplitter()
  const pickles = splitter.push(frame)
  const left = splitter.end()
  if (left !== undefined) throw left
  expect(pickles).toHaveLength(1)
  return decodePickle(pickles[0]!)
}

const { cases } = readFixture<{ cases: FrameCase[] }>('frames')

describe.each(cases)('frame $name', ({ name, frames, decoded }) => {
  const value = decoded.t === 'long' ? longValues[name]! : fromTagged(decoded)

  test.each(Object.entries(frames))('is read under protocol %s', (_protocol, frame) => {
    if (typeof frame !== 'string') return
    expect(decodeOne(frameBytes(frame))).toEqual(value)
  })

  test('is written byte for byte as Python 3.8 and newer write it', () => {
    const ours = encodeFrame(encodePickle(shareLists(name, value)))
    const theirs = frames['4']!
    if (typeof theirs === 'string') expect(Buffer.from(ours).toString('hex')).toBe(theirs)
    else expect(createHash('sha256').update(ours).digest('hex')).toBe(theirs.sha256)
  })
})

/** One case is a list that occurs twice in memory; the tagged form cannot say so. */
function shareLists(name: string, value: PyValue): PyValue {
  if (name !== 'shared list twice') return value
  const list: PyValue = ['s']
  return new Map<PyValue, PyValue>([
    ['type', 'TEXT'],
    ['data', [list, list]],
  ])
}

const decodes = new Set(['odd-but-legal', 'lenient-header', 'field-type'])

describe.each(readFixture<{ cases: BadCase[] }>('malformed').cases)(
  'bad input $name',
  ({ category, frame, name }) => {
    test(decodes.has(category) ? 'is plain data' : 'is refused with a code', () => {
      let outcome: unknown
      try {
        decodeOne(frameBytes(frame))
      } catch (error) {
        outcome = error
      }
      const mayBeRefused = category === 'lenient-header' && !/\+|28 '|\\t|0000/.test(name)
      if (decodes.has(category) && !mayBeRefused) expect(outcome).toBeUndefined()
      else expect(isP2pError(outcome) && outcome.code).toMatch(/^P2P_(PICKLE|FRAME)_/)
    })
  },
)
