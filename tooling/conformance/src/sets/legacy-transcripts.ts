/** Live captures of the old releases: each frame decodes to the recorded packets and encodes to them again. */
import assert from 'node:assert/strict'
import { decodeMessage, encodeFrame, encodeValue, openFrame } from '@p2p/serializer'
import { decodeLegacyFrame, encodeLegacyFrame } from '@p2p/serializer/legacy'
import type { LegacyVersion } from '@p2p/serializer/legacy'
import * as z from 'zod'
import { archiveReading } from '../archive-reading.ts'
import { skipped } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { bytesFromHex, hexOf } from '../recorded-bytes.ts'
import { assertArray, assertValue, tagged } from '../tagged-value.ts'
import { readTranscript } from '../transcript.ts'
import type { FrameEntry } from '../transcript.ts'

const fileName = /^transcript-(0\.[2-6])/
const decodedShape = z.object({ packets: z.array(tagged) })

export const legacyTranscripts: FixtureSet = {
  name: 'legacy transcripts',
  describes: (file) => fileName.test(file.name),
  *checks(file) {
    const version = fileName.exec(file.name)?.[1] ?? ''
    const transcript = readTranscript(file)
    if (transcript === undefined) {
      yield { name: file.path, run: () => skipped('not the shape of a transcript') }
      return
    }
    for (const [index, entry] of transcript.entries.entries()) {
      if (entry.kind !== 'frame') continue
      yield {
        name: `frame ${index}, ${entry.from} to ${entry.to}`,
        run: () => checkFrame(entry, version),
      }
    }
  },
}

function checkFrame(entry: FrameEntry, version: string): Verdict | undefined {
  if (typeof entry.hex !== 'string') return skipped('the frame was not recorded whole')
  const frame = bytesFromHex(entry.hex)
  const decoded = decodedShape.safeParse(entry.decoded)
  if (!decoded.success) return skipped('the frame was not readable when it was recorded')
  const { packets } = decoded.data
  if (version === '0.6') {
    const opened = openFrame(frame, archiveReading)
    const { type, sender, time, payload } = decodeMessage(opened)
    assertArray([type, sender, time, ...payload], packets, 'packets')
    const again = encodeValue([type, sender, time, ...payload])
    assert.equal(hexOf(again), hexOf(opened.body), 'packed again')
    assert.equal(hexOf(openFrame(encodeFrame(opened)).id), hexOf(opened.id), 'framed again')
    return undefined
  }
  const message = decodeLegacyFrame(frame, { ...archiveReading, version: asLegacy(version) })
  const [, , , , ...payload] = packets
  assertArray(message.payload, payload, 'payload')
  for (const [index, packet] of [message.type, message.sender, message.id].entries()) {
    const expected = packets[index]
    assert.ok(expected !== undefined, 'header packets')
    assertValue(packet, expected, `packet ${index}`)
  }
  const again = encodeLegacyFrame(message)
  const reread = decodeLegacyFrame(again, { version: asLegacy(version) })
  assert.equal(hexOf(reread.id), hexOf(message.id), 'id of the message encoded again')
  return undefined
}

function asLegacy(version: string): LegacyVersion {
  return z.enum(['0.2', '0.3', '0.4', '0.5']).parse(version)
}
