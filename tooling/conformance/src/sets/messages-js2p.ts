/**
 * The messages of `messages.json` in js2p: what it packs itself, which we have to read, and frames it
 * made under its three compression methods. Its packing differs from py2p's in the numbers and keys
 * JavaScript has no types for; ours is py2p's.
 */
import assert from 'node:assert/strict'
import {
  decodeMessage,
  encodeFrame,
  encodeValue,
  messageFromBody,
  openFrame,
} from '@p2p/serializer'
import * as z from 'zod'
import type { FixtureFile } from '../fixture-file.ts'
import { archiveReading, readMethods } from '../archive-reading.ts'
import { caseChecks, differs, skipped } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { isMessageHeader, methodNumber } from '../message-header.ts'
import { rebuildFrame } from '../original-compressors.ts'
import { assertBytes, bytesFromHex, hexOf, recordedBytes, sha256Hex } from '../recorded-bytes.ts'
import { elementsOf, messageCase } from './messages.ts'
import type { MessageCase } from './messages.ts'

const packedCase = z.object({
  name: z.string(),
  decoded_by_js2p: z.union([z.object({ id: z.string() }), z.object({ error: z.string() })]),
  packed_by_js2p: recordedBytes.optional(),
  same_as_py2p: z.boolean().optional(),
})

const frameCase = z.object({
  name: z.string(),
  message: z.string(),
  method: z.string(),
  frame: recordedBytes,
  id: z.string(),
})

export const messagesJs2p: FixtureSet = {
  name: 'messages in js2p',
  describes: (file) => file.name === 'messages-js2p',
  checks(file) {
    const messagesByName = siblingMessages(file)
    return caseChecks(file, packedCase, (fixture) => [
      { name: fixture.name, run: () => checkPacked(fixture, messagesByName.get(fixture.name)) },
    ])
  },
}

export const messagesJs2pFrames: FixtureSet = {
  name: 'frames of js2p',
  describes: (file) => file.name === 'messages-js2p-frames',
  checks(file) {
    const messagesByName = siblingMessages(file)
    return caseChecks(file, frameCase, (fixture) => [
      { name: fixture.name, run: () => checkFrame(fixture, messagesByName.get(fixture.message)) },
    ])
  },
}

/** The cases of messages.json in the same folder; none when it is not there. */
function siblingMessages(file: FixtureFile): ReadonlyMap<string, MessageCase> {
  const document = z.object({ cases: z.array(z.unknown()) }).safeParse(file.sibling('messages'))
  const cases = (document.data?.cases ?? []).flatMap((entry) => {
    const parsed = messageCase.safeParse(entry)
    return parsed.success ? [parsed.data] : []
  })
  return new Map(cases.map((entry) => [entry.name, entry]))
}

function checkPacked(
  fixture: z.infer<typeof packedCase>,
  message: MessageCase | undefined,
): Verdict | undefined {
  const { decoded_by_js2p: decoded, packed_by_js2p: packed } = fixture
  if (message !== undefined && 'id' in decoded) assert.equal(decoded.id, message.id, 'id in js2p')
  if (typeof packed === 'string') checkReadable(bytesFromHex(packed))
  if (message === undefined) {
    return packed === undefined ? skipped('its message is not in messages.json') : undefined
  }
  if (packed === undefined) return undefined
  if (fixture.same_as_py2p === true) {
    assertBytes(encodeValue(elementsOf(message)), packed, 'packed')
    return undefined
  }
  return differs('packs-as-py2p')
}

/** What js2p packed is a message to us too, or at least an array with a header we refuse by name. */
function checkReadable(body: Uint8Array): void {
  const opened = openFrame(encodeFrame({ body, id: bytesFromHex(sha256Hex(body)) }))
  assert.equal(hexOf(opened.body), hexOf(body), 'body')
  try {
    const message = messageFromBody(body)
    assert.ok(isMessageHeader(message), 'header')
  } catch (error) {
    assert.equal(codeOf(error), 'P2P_MESSAGE_HEADER')
  }
}

function checkFrame(
  fixture: z.infer<typeof frameCase>,
  message: MessageCase | undefined,
): Verdict | undefined {
  const method = fixture.method === 'none' ? undefined : methodNumber(fixture.method)
  if (fixture.method !== 'none' && (method === undefined || !readMethods.includes(method))) {
    return skipped(`${fixture.method} is not read`)
  }
  if (typeof fixture.frame !== 'string') {
    if (message === undefined) return skipped('its message is not in messages.json')
    const body = encodeValue(elementsOf(message))
    const plain = encodeFrame({ body, id: bytesFromHex(fixture.id) })
    if (method === undefined) {
      assertBytes(plain, fixture.frame, 'frame')
      return undefined
    }
    const rebuilt = rebuildFrame(plain.subarray(4), fixture.method, fixture.frame)
    if (typeof rebuilt === 'string') return skipped(rebuilt)
    return checkWholeFrame(fixture, message, rebuilt)
  }
  return checkWholeFrame(fixture, message, bytesFromHex(fixture.frame))
}

function checkWholeFrame(
  fixture: z.infer<typeof frameCase>,
  message: MessageCase | undefined,
  frame: Uint8Array,
): Verdict | undefined {
  const opened = openFrame(frame, archiveReading)
  assert.equal(hexOf(opened.id), fixture.id, 'id')
  assert.equal(sha256Hex(opened.body), fixture.id, 'SHA-256 of the body')
  if (message !== undefined && fixture.id === message.id) {
    assert.equal(hexOf(opened.body), hexOf(encodeValue(elementsOf(message))), 'body')
  }
  try {
    decodeMessage(opened)
  } catch (error) {
    assert.equal(codeOf(error), 'P2P_MESSAGE_HEADER')
  }
  return undefined
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
