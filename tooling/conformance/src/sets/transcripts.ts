/**
 * Live captures of protocol 0.7. Each recorded frame is a check: it opens to the recorded id, decodes to
 * the recorded values and packs to the same bytes again; what the recorder could not read we
 * refuse. Then the whole capture is replayed, with ours in the place of each recorded node.
 */
import assert from 'node:assert/strict'
import { decodeMessage, encodeFrame, encodeValue, openFrame } from '@p2p/serializer'
import * as z from 'zod'
import { archiveReading } from '../archive-reading.ts'
import type { FixtureFile } from '../fixture-file.ts'
import { differs, skipped } from '../fixture-set.ts'
import type { Check, FixtureSet, Verdict } from '../fixture-set.ts'
import { assertBytes, bytesFromHex, hexOf } from '../recorded-bytes.ts'
import { refusalOf } from '../refusal.ts'
import { assertArray, assertValue, tagged, taggedList, valueOf } from '../tagged-value.ts'
import { readTranscript } from '../transcript.ts'
import type { FrameEntry, Transcript } from '../transcript.ts'
import { replayChecks } from './transcript-replay.ts'

const decodedMessage = z.object({
  id: z.string(),
  type: tagged,
  sender: tagged,
  time: tagged,
  payload: taggedList,
})
const undecoded = z.union([
  z.object({ compression: z.literal('unreadable') }),
  z.object({ unpack_error: z.string() }),
])

export const transcripts: FixtureSet = {
  name: 'transcripts',
  describes: (file) => file.folder === 'transcripts' || isTranscript(file),
  *checks(file) {
    const transcript = readTranscript(file)
    if (transcript === undefined) {
      yield { name: file.path, run: () => skipped('not the shape of a transcript') }
      return
    }
    yield* frameChecks(transcript)
    yield* replayChecks(transcript, file.document)
  },
}

function isTranscript(file: FixtureFile): boolean {
  return file.folder !== 'p2py' && readTranscript(file) !== undefined
}

function* frameChecks(transcript: Transcript): Iterable<Check> {
  for (const [index, entry] of transcript.entries.entries()) {
    if (entry.kind !== 'frame') continue
    yield { name: `frame ${index}, ${entry.from} to ${entry.to}`, run: () => checkFrame(entry) }
  }
}

function checkFrame(entry: FrameEntry): Verdict | undefined {
  const message = decodedMessage.safeParse(entry.decoded)
  if (typeof entry.hex !== 'string') {
    if (!message.success) return skipped('the frame was not recorded whole')
    const { id, type, sender, time, payload } = message.data
    const body = encodeValue([type, sender, time, ...payload].map(valueOf))
    assertBytes(encodeFrame({ body, id: bytesFromHex(id) }), entry.hex, 'frame')
    return undefined
  }
  const frame = bytesFromHex(entry.hex)
  if (undecoded.safeParse(entry.decoded).success) {
    assert.ok(
      refusalOf(() => decodeMessage(openFrame(frame, archiveReading))) !== undefined,
      'taken',
    )
    return undefined
  }
  if (!message.success) return skipped('the frame is described in a way this set does not know')
  return checkMessage(frame, message.data)
}

function checkMessage(
  frame: Uint8Array,
  expected: z.infer<typeof decodedMessage>,
): Verdict | undefined {
  const opened = openFrame(frame, archiveReading)
  assert.equal(hexOf(opened.id), expected.id, 'id')
  const { type, sender, time, payload, tail } = decodeMessage(opened)
  assertValue(type, expected.type, 'type')
  assertValue(sender, expected.sender, 'sender')
  assertValue(time, expected.time, 'time')
  assertArray(payload, expected.payload, 'payload')
  const array = opened.body.subarray(0, opened.body.length - tail.length)
  const again = encodeValue([type, sender, time, ...payload])
  if (hexOf(again) === hexOf(array)) return undefined
  // js2p writes some lengths wider than needed; the values above are the same.
  assert.ok(again.length < array.length, 'packed again')
  return differs('packs-as-py2p')
}
