/**
 * Frames of p2py under pickle protocols 0 to 5: each is read as the value that was pickled, and what we
 * write for it is the frame of protocol 4, byte by byte.
 */
import assert from 'node:assert/strict'
import { decodeFrame, decodePickle, encodeFrame, encodePickle } from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import * as z from 'zod'
import { caseChecks, skipped } from '../fixture-set.ts'
import type { Check, FixtureSet } from '../fixture-set.ts'
import { pyTagged, pyValueOf, sharings } from '../p2py-values.ts'
import { assertBytes, bytesFromHex, hexOf, recordedBytes } from '../recorded-bytes.ts'
import type { RecordedBytes } from '../recorded-bytes.ts'

const frameCase = z.object({
  name: z.string(),
  frames: z.record(z.string(), recordedBytes),
  decoded: z.union([pyTagged, z.object({ t: z.literal('long') })]),
})
type FrameCase = z.infer<typeof frameCase>

export const p2pyFrames: FixtureSet = {
  name: 'p2py/frames',
  describes: (file) => file.folder === 'p2py' && file.name === 'frames',
  checks: (file) => caseChecks(file, frameCase, checksOf),
}

function* checksOf(fixture: FrameCase): Iterable<Check> {
  const { name, frames } = fixture
  for (const [protocol, frame] of Object.entries(frames)) {
    yield { name: `${name} / protocol ${protocol}`, run: () => checkRead(fixture, frame) }
  }
  const written = frames['4']
  if (written !== undefined)
    yield { name: `${name} / written`, run: () => checkWritten(fixture, written) }
}

function checkRead(fixture: FrameCase, frame: RecordedBytes): ReturnType<Check['run']> {
  if (typeof frame !== 'string') return skipped('only a digest of the frame was recorded')
  const value = readHex(frame)
  const expected = fixture.decoded.t === 'long' ? anyWhole(fixture) : pyValueOf(fixture.decoded)
  assert.deepEqual(value, expected)
  return undefined
}

function checkWritten(fixture: FrameCase, written: RecordedBytes): ReturnType<Check['run']> {
  const { decoded } = fixture
  if (decoded.t === 'long') {
    const value = anyWhole(fixture)
    if (value === undefined) return skipped('the value was not recorded')
    assertBytes(encodeFrame(encodePickle(value)), written, 'frame')
    return undefined
  }
  const ours = sharings.map((sharing) => encodeFrame(encodePickle(pyValueOf(decoded, sharing))))
  const isSame = typeof written === 'string' && ours.some((frame) => hexOf(frame) === written)
  const [plain = new Uint8Array(0)] = ours
  if (!isSame) assertBytes(plain, written, 'frame')
  return undefined
}

/** The value of a case whose value is too long to be recorded, from a frame that is there whole. */
function anyWhole({ frames }: FrameCase): PyValue | undefined {
  const whole = Object.values(frames).find((frame) => typeof frame === 'string')
  return typeof whole === 'string' ? readHex(whole) : undefined
}

function readHex(frame: string): PyValue {
  return decodePickle(decodeFrame(bytesFromHex(frame)))
}
