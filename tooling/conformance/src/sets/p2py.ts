/**
 * The p2py network: pickles in frames of ten characters and a body. Messages are read under every pickle
 * protocol and written as Python 3.8 and newer write them; bad input is refused with a code and without
 * cost; the frames of live captures go both ways.
 */
import assert from 'node:assert/strict'
import { isP2pError } from '@p2p/base'
import { decodeFrame, decodePickle, encodeFrame, encodePickle } from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import * as z from 'zod'
import { withinBounds } from '../bounds.ts'
import { caseChecks, skipped } from '../fixture-set.ts'
import type { Check, FixtureSet, Verdict } from '../fixture-set.ts'
import { pickled, pickledValueOf, sharings } from '../pickled-value.ts'
import type { Pickled } from '../pickled-value.ts'
import {
  assertBytes,
  bytesFromHex,
  composeBytes,
  composedBytes,
  hexOf,
  recordedBytes,
} from '../recorded-bytes.ts'
import type { ComposedBytes, RecordedBytes } from '../recorded-bytes.ts'
import { readTranscript } from '../transcript.ts'
import type { FrameEntry } from '../transcript.ts'

const long = z.object({ t: z.literal('long') })
const frameCase = z.object({
  name: z.string(),
  frames: z.record(z.string(), recordedBytes),
  decoded: z.union([long, pickled]),
})
type FrameCase = z.infer<typeof frameCase>

/** The pickle protocol that Python 3.8 and newer write unless told otherwise. */
const writtenProtocol = '4'

export const p2pyFrames: FixtureSet = {
  name: 'p2py frames',
  describes: (file) => file.folder === 'p2py' && file.name === 'frames',
  checks: (file) => caseChecks(file, frameCase, frameChecks),
}

function* frameChecks(fixture: FrameCase): Iterable<Check> {
  const { name, decoded } = fixture
  for (const [protocol, frame] of Object.entries(fixture.frames)) {
    yield {
      name: `${name} / read, protocol ${protocol}`,
      run: () => {
        if (typeof frame !== 'string') return skipped('the frame was not recorded whole')
        if (decoded.t === 'long') return skipped('the value was not recorded')
        assert.deepEqual(decodeOne(bytesFromHex(frame)), pickledValueOf(decoded, 'nothing'))
        return undefined
      },
    }
  }
  const written = fixture.frames[writtenProtocol]
  if (written === undefined) return
  yield { name: `${name} / written`, run: () => checkWritten(decoded, written) }
}

function decodeOne(frame: Uint8Array): PyValue {
  return decodePickle(decodeFrame(frame))
}

/**
 * Python writes an object that occurs twice only once, and a tagged value does not tell whether equal
 * parts were one object: one of the ways to share them has to give the recorded bytes.
 */
function checkWritten(decoded: FrameCase['decoded'], recorded: RecordedBytes): Verdict | undefined {
  if (decoded.t === 'long') return skipped('the value was not recorded')
  const ours = sharings.map((sharing) =>
    encodeFrame(encodePickle(pickledValueOf(decoded, sharing))),
  )
  const [plain] = ours
  if (typeof recorded !== 'string') {
    assert.ok(plain !== undefined)
    assertBytes(plain, recorded, 'frame')
    return undefined
  }
  assert.ok(ours.map(hexOf).includes(recorded), 'not the bytes that Python writes')
  return undefined
}

const malformedCase = z.object({ name: z.string(), category: z.string(), frame: composedBytes })

/** The file's own words: these categories decode, the rest must be refused … */
const decodes = new Set(['odd-but-legal', 'field-type'])
/** … and these may end either way, but with a result or a code. */
const either = new Set(['lenient-header'])

export const p2pyMalformed: FixtureSet = {
  name: 'p2py malformed',
  describes: (file) => file.folder === 'p2py' && file.name === 'malformed',
  checks: (file) =>
    caseChecks(file, malformedCase, (fixture) => [
      { name: fixture.name, run: () => checkMalformed(fixture.category, fixture.frame) },
    ]),
}

function checkMalformed(category: string, composed: ComposedBytes): undefined {
  const frame = composeBytes(composed)
  const refusal = withinBounds(() => {
    try {
      decodeOne(frame)
      return undefined
    } catch (error) {
      if (isP2pError(error)) return error.code
      throw error
    }
  })
  if (either.has(category) && refusal === undefined) return
  if (decodes.has(category)) assert.equal(refusal, undefined, 'refused')
  else assert.match(refusal ?? 'taken', /^P2P_(PICKLE|FRAME)_/)
}

export const p2pyTranscripts: FixtureSet = {
  name: 'p2py transcripts',
  describes: (file) => file.folder === 'p2py' && file.name.startsWith('transcript-'),
  *checks(file) {
    const transcript = readTranscript(file)
    if (transcript === undefined) {
      yield { name: file.path, run: () => skipped('not the shape of a transcript') }
      return
    }
    for (const [index, entry] of transcript.entries.entries()) {
      if (entry.kind !== 'frame') continue
      const name = `frame ${index}, ${entry.from} to ${entry.to}`
      yield { name, run: () => checkTranscriptFrame(entry) }
    }
  },
}

function checkTranscriptFrame(entry: FrameEntry): Verdict | undefined {
  if (typeof entry.hex !== 'string') return skipped('the frame was not recorded whole')
  const decoded = pickled.safeParse(entry.decoded)
  if (!decoded.success) return skipped('the value is described in a way this set does not know')
  const frame = bytesFromHex(entry.hex)
  const value = decodeOne(frame)
  assert.deepEqual(value, pickledValueOf(decoded.data, 'nothing'))
  const again = encodeFrame(encodePickle(value))
  assert.deepEqual(decodeOne(again), value, 'written and read again')
  if (!isProtocol(frame, Number(writtenProtocol))) return undefined
  return checkWritten(decoded.data as Pickled, entry.hex)
}

/** True when the pickle of a frame says that it is of this protocol. */
function isProtocol(frame: Uint8Array, protocol: number): boolean {
  const pickle = decodeFrame(frame)
  return pickle[0] === 0x80 && pickle[1] === protocol
}
