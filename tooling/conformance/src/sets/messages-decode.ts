/**
 * Frames no reference writes, with what the decoder of each makes of them. What both take, we take with
 * the same values; what both refuse, we refuse. Where they disagree we do what py2p does: it keeps types,
 * and it drops its link over what it cannot read (wire 2.2).
 */
import assert from 'node:assert/strict'
import { decodeMessage, decodeValue, openFrame } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import * as z from 'zod'
import { caseChecks, differs, skipped } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { refusalOf } from '../refusal.ts'
import { archiveReading } from '../archive-reading.ts'
import { bytesFromHex, hexOf, recordedBytes } from '../recorded-bytes.ts'
import { assertValue, tagged } from '../tagged-value.ts'

const refused = z.object({ error: z.string() })
const decodeCase = z.object({
  name: z.string(),
  frame: recordedBytes,
  py2p: z.union([refused, z.object({ packets: tagged, id: z.string() })]),
  js2p: z.union([refused, z.object({ packets: z.unknown(), id: z.string() })]),
})
type DecodeCase = z.infer<typeof decodeCase>

export const messagesDecode: FixtureSet = {
  name: 'messages-decode',
  describes: (file) => file.name === 'messages-decode',
  checks: (file) =>
    caseChecks(file, decodeCase, (fixture) => [
      { name: fixture.name, run: () => checkDecode(fixture) },
    ]),
}

function checkDecode(fixture: DecodeCase): Verdict | undefined {
  if (typeof fixture.frame !== 'string') return skipped('the frame was not recorded whole')
  const frame = bytesFromHex(fixture.frame)
  const { py2p, js2p } = fixture
  if ('error' in py2p) {
    assert.ok(refusalOf(() => readBody(frame)) !== undefined, 'py2p refuses it, we took it')
    return 'error' in js2p ? undefined : differs('refuses-as-py2p')
  }
  const { id, elements } = readBody(frame)
  assert.equal(hexOf(id), py2p.id, 'id')
  assertValue(elements, py2p.packets, 'body')
  if ('error' in js2p) return differs('any-known-method')
  const same = JSON.stringify(js2p.packets) === JSON.stringify(py2p.packets)
  return same ? undefined : differs('reads-as-py2p')
}

/** The elements of the body, whatever their types. Throws a DecodeError. */
function readBody(frame: Uint8Array): { id: Uint8Array; elements: Value } {
  const opened = openFrame(frame, archiveReading)
  decodeMessage(opened)
  return { id: opened.id, elements: decodeValue(opened.body, { allowTrailing: true }) }
}
