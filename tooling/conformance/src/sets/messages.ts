/**
 * Messages as py2p 0.7.870 packs and frames them (0.6 writes the same bytes). Per case: our packing,
 * id and uncompressed frame are the recorded bytes, and reading them gives the values, which pack to
 * the same bytes again. Per compression method a check of its own: the recorded frame opens to the same
 * body, and a frame we compress is read by an independent inflater.
 */
import assert from 'node:assert/strict'
import { gunzipSync, inflateSync } from 'node:zlib'
import {
  compressionMethods,
  createMessage,
  decodableMethods,
  decodeMessage,
  decodeValue,
  encodeFrame,
  encodeValue,
  openFrame,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import * as z from 'zod'
import { archiveReading, readMethods } from '../archive-reading.ts'
import { caseChecks, differs, skipped } from '../fixture-set.ts'
import type { Check, FixtureSet, Verdict } from '../fixture-set.ts'
import { isMessageHeader, methodNumber } from '../message-header.ts'
import { rebuildFrame } from '../original-compressors.ts'
import { assertBytes, bytesFromHex, hexOf, recordedBytes } from '../recorded-bytes.ts'
import type { RecordedBytes } from '../recorded-bytes.ts'
import { assertArray, tagged, taggedList, valueOf } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'

const decimal = z
  .string()
  .regex(/^\d+$/)
  .transform((v) => ({ t: 'int' as const, v }))

/** A case of messages.json, and of legacy/messages-0.6.json, which has no `packed`. */
export interface MessageCase {
  readonly name: string
  readonly type: Tagged
  readonly sender: Tagged
  readonly time: Tagged
  readonly payload: readonly Tagged[]
  readonly packed?: RecordedBytes | undefined
  readonly id: string
  /** By name of the compression method, `none` among them. */
  readonly frames: Readonly<Record<string, RecordedBytes>>
}

export const messageCase: z.ZodType<MessageCase> = z.object({
  name: z.string(),
  type: tagged,
  sender: tagged,
  time: z.union([tagged, decimal]),
  payload: taggedList,
  packed: recordedBytes.optional(),
  id: z.string(),
  frames: z.record(z.string(), recordedBytes),
})

export const messages: FixtureSet = {
  name: 'messages',
  describes: (file) =>
    file.name === 'messages' || (file.folder === 'legacy' && file.name === 'messages-0.6'),
  checks: (file) => caseChecks(file, messageCase, checksOf),
}

function* checksOf(fixture: MessageCase): Iterable<Check> {
  yield { name: fixture.name, run: () => checkUncompressed(fixture) }
  for (const [method, frame] of Object.entries(fixture.frames)) {
    if (method === 'none') continue
    yield {
      name: `${fixture.name} / ${method}`,
      run: () => checkCompressed(fixture, method, frame),
    }
  }
}

/** The elements of the msgpack array. */
export function elementsOf(fixture: MessageCase): readonly Value[] {
  return [fixture.type, fixture.sender, fixture.time, ...fixture.payload].map(valueOf)
}

function checkUncompressed(fixture: MessageCase): Verdict | undefined {
  const elements = elementsOf(fixture)
  const body = encodeValue(elements)
  if (fixture.packed !== undefined) assertBytes(body, fixture.packed, 'packed')
  const id = bytesFromHex(fixture.id)
  const frame = encodeFrame({ body, id })
  const recorded = fixture.frames['none']
  if (recorded !== undefined) assertBytes(frame, recorded, 'frame')

  const opened = openFrame(frame)
  assert.equal(hexOf(opened.id), fixture.id, 'id')
  const decoded = decodeValue(opened.body)
  assertArray(decoded, [fixture.type, fixture.sender, fixture.time, ...fixture.payload], 'body')
  assert.equal(hexOf(encodeValue(decoded)), hexOf(body), 'packed again')

  const header = { type: elements[0], sender: elements[1], time: elements[2] }
  if (!isMessageHeader(header)) {
    assert.throws(() => decodeMessage(opened), { code: 'P2P_MESSAGE_HEADER' })
    return differs('message-header-types')
  }
  const message = createMessage({ ...header, payload: elements.slice(3) })
  assert.equal(hexOf(message.body), hexOf(body), 'created message')
  assert.equal(hexOf(message.id), fixture.id, 'created id')
  assertArray(decodeMessage(opened).payload, fixture.payload, 'payload')
  return undefined
}

function checkCompressed(
  fixture: MessageCase,
  methodName: string,
  frame: RecordedBytes,
): Verdict | undefined {
  const method = methodNumber(methodName)
  if (method === undefined || !readMethods.includes(method)) {
    return skipped(`${methodName} is not read`)
  }
  const body = encodeValue(elementsOf(fixture))
  const id = bytesFromHex(fixture.id)
  if (decodableMethods.includes(method)) {
    const ours = encodeFrame({ body, id }, { method })
    assert.equal(hexOf(openFrame(ours).body), hexOf(body), 'our compressed frame')
    checkInflates(ours, method, body)
  }
  const whole =
    typeof frame === 'string'
      ? bytesFromHex(frame)
      : rebuildFrame(Buffer.concat([id, body]), methodName, frame)
  if (typeof whole === 'string') return skipped(whole)
  const opened = openFrame(whole, archiveReading)
  assert.equal(hexOf(opened.id), fixture.id, 'id')
  assert.equal(hexOf(opened.body), hexOf(body), 'body')
  return undefined
}

/** Our compressed frame, read by zlib itself. It may be plain where compressing did not pay. */
function checkInflates(frame: Uint8Array, method: number, body: Uint8Array): void {
  const block = frame.subarray(4)
  if (block.length >= 32 + body.length) return
  if (method === compressionMethods.zlib) {
    assert.equal(hexOf(inflateSync(block).subarray(32)), hexOf(body), 'inflated by zlib')
  }
  if (method === compressionMethods.gzip) {
    assert.equal(hexOf(gunzipSync(block).subarray(32)), hexOf(body), 'inflated by gzip')
  }
}
