/**
 * Protocols 0.2 to 0.5, the formats before msgpack: messages in both directions, what the old parsers
 * made of odd bytes, bad input, ids. (0.6 has the frame of 0.7 and is checked by `messages.ts`.)
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  decodableMethods,
  decodeBase58Integer,
  decodeFrame,
  encodeBase58Integer,
  networkId,
  nodeId,
} from '@p2p/serializer'
import {
  decodeLegacyFrame,
  encodeLegacyFrame,
  legacyFlags,
  splitWithTable,
} from '@p2p/serializer/legacy'
import type { LegacyFields, LegacyMessage, LegacyVersion } from '@p2p/serializer/legacy'
import * as z from 'zod'
import { archiveReading, readMethods } from '../archive-reading.ts'
import { withinBounds } from '../bounds.ts'
import type { FixtureFile } from '../fixture-file.ts'
import { caseChecks, differs, skipped } from '../fixture-set.ts'
import type { Check, FixtureSet, Verdict } from '../fixture-set.ts'
import { methodNumber } from '../message-header.ts'
import { rebuildFrame } from '../original-compressors.ts'
import {
  assertBytes,
  bytesFromHex,
  composeBytes,
  composedBytes,
  hexOf,
  recordedBytes,
} from '../recorded-bytes.ts'
import type { RecordedBytes } from '../recorded-bytes.ts'
import { refusalOf } from '../refusal.ts'
import { tagged, taggedList, valueOf } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'

const legacyVersion = z.enum(['0.2', '0.3', '0.4', '0.5'])
/** `0.2.136` names a release of protocol 0.2. */
const versionOf = (release: string): LegacyVersion | undefined =>
  legacyVersion.safeParse(release.slice(0, 3)).data

const messageCase = z.object({
  name: z.string(),
  type: tagged,
  sender: tagged,
  time: z.string().regex(/^\d+$/),
  payload: taggedList,
  frames: z.record(z.string(), recordedBytes),
  id: z.string(),
  time_58: z.string(),
})
type MessageCase = z.infer<typeof messageCase>

const fileName = /^messages-(0\.[2-5])$/

export const legacyMessages: FixtureSet = {
  name: 'legacy messages',
  describes: (file) => fileName.test(file.name),
  *checks(file) {
    const version = legacyVersion.parse(fileName.exec(file.name)?.[1])
    yield { name: 'flags', run: () => checkFlags(file, version) }
    yield* caseChecks(file, messageCase, (fixture) => messageChecks(fixture, version))
  },
}

function checkFlags(file: FixtureFile, version: LegacyVersion): Verdict | undefined {
  const parsed = z.object({ flags: z.record(z.string(), z.string()) }).safeParse(file.document)
  if (!parsed.success) return skipped('the file has no table of flags')
  const { main, sub } = legacyFlags[version]
  for (const [name, flag] of [...Object.entries(main), ...Object.entries(sub)]) {
    const recorded: string | undefined = parsed.data.flags[name]
    if (recorded !== undefined) assert.equal(hexOf(bytesOf(flag)), recorded, name)
  }
  return undefined
}

function* messageChecks(fixture: MessageCase, version: LegacyVersion): Iterable<Check> {
  yield { name: fixture.name, run: () => checkMessage(fixture, version) }
  for (const [method, frame] of Object.entries(fixture.frames)) {
    if (method === 'none') continue
    yield {
      name: `${fixture.name} / ${method}`,
      run: () => checkCompressed(fixture, version, method, frame),
    }
  }
}

function fieldsOf(fixture: MessageCase, version: LegacyVersion): LegacyFields {
  return {
    version,
    type: packetOf(fixture.type),
    sender: packetOf(fixture.sender),
    time: Number(fixture.time),
    payload: fixture.payload.map(packetOf),
  }
}

/** Packets are byte strings; text stands for its UTF-8 bytes. */
function packetOf(value: Tagged): string | Uint8Array {
  const packet = valueOf(value)
  assert.ok(typeof packet === 'string' || packet instanceof Uint8Array, 'a packet is text or bytes')
  return packet
}

function bytesOf(packet: string | Uint8Array): Uint8Array {
  return typeof packet === 'string' ? Buffer.from(packet, 'utf8') : packet
}

function checkMessage(fixture: MessageCase, version: LegacyVersion): Verdict | undefined {
  const fields = fieldsOf(fixture, version)
  const frame = encodeLegacyFrame(fields)
  const recorded = fixture.frames['none']
  if (recorded !== undefined) assertBytes(frame, recorded, 'frame')
  assertMessage(decodeLegacyFrame(frame, { ...archiveReading, version }), fixture, fields)
  return undefined
}

function assertMessage(message: LegacyMessage, fixture: MessageCase, fields: LegacyFields): void {
  assert.equal(hexOf(message.type), hexOf(bytesOf(fields.type)), 'type')
  assert.equal(hexOf(message.sender), hexOf(bytesOf(fields.sender)), 'sender')
  assert.equal(message.time, fields.time, 'time')
  assert.equal(Buffer.from(message.id).toString('utf8'), fixture.id, 'id')
  assert.ok(message.verified, 'id is the digest')
  assert.deepEqual(
    message.payload.map(hexOf),
    fields.payload.map((packet) => hexOf(bytesOf(packet))),
    'payload',
  )
}

function checkCompressed(
  fixture: MessageCase,
  version: LegacyVersion,
  methodName: string,
  frame: RecordedBytes,
): Verdict | undefined {
  // What 0.2 and 0.3 call gzip writes the zlib container (wire 11.2).
  const meant = version < '0.4' && methodName === 'gzip' ? 'zlib' : methodName
  const method = methodNumber(meant)
  if (method === undefined || !readMethods.includes(method)) {
    return skipped(`${methodName} is not read`)
  }
  const fields = fieldsOf(fixture, version)
  if (decodableMethods.includes(method)) {
    const ours = encodeLegacyFrame(fields, { method })
    assertMessage(decodeLegacyFrame(ours, { version }), fixture, fields)
  }
  const whole =
    typeof frame === 'string'
      ? bytesFromHex(frame)
      : rebuildFrame(encodeLegacyFrame(fields).subarray(4), meant, frame)
  if (typeof whole === 'string') return skipped(whole)
  assertMessage(decodeLegacyFrame(whole, { ...archiveReading, version }), fixture, fields)
  return undefined
}

const parseCase = z.object({
  name: z.string(),
  version: z.string(),
  frame: composedBytes,
  result: z.union([
    z.object({ ok: z.literal(true), packets: z.array(z.string()) }),
    z.object({ ok: z.literal(false), error: z.string() }),
  ]),
})

export const legacyParse: FixtureSet = {
  name: 'legacy parse',
  describes: (file) => file.folder === 'legacy' && file.name === 'parse',
  checks: (file) =>
    caseChecks(file, parseCase, (fixture) => [
      { name: fixture.name, run: () => checkParse(fixture) },
    ]),
}

/** We take what the old parser of that release took, with the same packets, and refuse the rest. */
function checkParse(fixture: z.infer<typeof parseCase>): Verdict | undefined {
  const version = versionOf(fixture.version)
  const frame = composeBytes(fixture.frame)
  if (version === undefined) {
    const refused = refusalOf(() => decodeFrame(frame)) !== undefined
    assert.equal(refused, !fixture.result.ok, 'refused')
    return undefined
  }
  if (!fixture.result.ok) {
    assert.ok(
      refusalOf(() => decodeLegacyFrame(frame, { ...archiveReading, version })) !== undefined,
      'taken',
    )
    return undefined
  }
  const { type, sender, id, time, payload, verified } = decodeLegacyFrame(frame, {
    ...archiveReading,
    version,
  })
  const [typePacket, senderPacket, idPacket = '', timePacket = '', ...rest] = fixture.result.packets
  assert.deepEqual([type, sender, ...payload].map(hexOf), [typePacket, senderPacket, ...rest])
  assert.equal(encodeBase58Integer(BigInt(time)), Buffer.from(timePacket, 'hex').toString())
  if (verified) {
    assert.equal(hexOf(id), idPacket)
    return undefined
  }
  const hashed = Buffer.concat([...payload, Buffer.from(timePacket, 'hex')])
  const digest = encodeBase58Integer(createHash('sha384').update(hashed).digest())
  assert.equal(digest, Buffer.from(idPacket, 'hex').toString(), 'id the parser made')
  return differs('carried-id')
}

const malformedCase = z.object({
  name: z.string(),
  version: legacyVersion,
  category: z.string(),
  frame: composedBytes,
})

/** Bytes of these categories are no message to any reader. In the others it depends on the version. */
const neverMessages = new Set(['truncated', 'bad-length', 'absurd-length', 'arity'])

export const legacyMalformed: FixtureSet = {
  name: 'legacy malformed',
  describes: (file) => file.folder === 'legacy' && file.name === 'malformed',
  checks: (file) =>
    caseChecks(file, malformedCase, (fixture) => [
      { name: fixture.name, run: () => checkMalformed(fixture) },
    ]),
}

function checkMalformed(fixture: z.infer<typeof malformedCase>): Verdict | undefined {
  const frame = composeBytes(fixture.frame)
  const { version } = fixture
  const refusal = withinBounds(() =>
    refusalOf(() => decodeLegacyFrame(frame, { ...archiveReading, version })),
  )
  if (neverMessages.has(fixture.category)) assert.ok(refusal !== undefined, 'taken')
  if (fixture.category === 'bad-checksum' && version >= '0.4') {
    assert.equal(refusal?.code, 'P2P_CHECKSUM_MISMATCH')
  }
  return undefined
}

const idCase = z.discriminatedUnion('kind', [
  z.object({
    name: z.string(),
    kind: z.literal('base58'),
    protocol_version: z.string(),
    int: z.string().regex(/^\d+$/),
    text: z.string(),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('protocol'),
    protocol_version: z.string(),
    subnet: z.string(),
    encryption: z.string(),
    id: z.string(),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('node'),
    protocol_version: z.string(),
    addr: z.tuple([z.string(), z.number()]),
    salt: z.string(),
    hashed: z.string(),
    id: z.string(),
  }),
])

export const legacyIds: FixtureSet = {
  name: 'legacy ids',
  describes: (file) => file.folder === 'legacy' && file.name === 'ids',
  checks: (file) =>
    caseChecks(file, idCase, (fixture) => [{ name: fixture.name, run: () => checkId(fixture) }]),
}

function checkId(fixture: z.infer<typeof idCase>): Verdict | undefined {
  const version = fixture.protocol_version
  switch (fixture.kind) {
    case 'base58':
      assert.equal(decodeBase58Integer(fixture.text), BigInt(fixture.int))
      if (fixture.int === '0' && version < '0.4') {
        assert.equal(timePacketOf(0, legacyVersion.parse(version)), fixture.text)
      } else {
        assert.equal(encodeBase58Integer(BigInt(fixture.int)), fixture.text)
      }
      return undefined
    case 'protocol':
      assert.equal(networkId({ ...fixture, version }), fixture.id)
      return undefined
    case 'node': {
      const [host, port] = fixture.addr
      const hashed = Buffer.from(fixture.hashed, 'hex')
      assert.equal(encodeBase58Integer(createHash('sha384').update(hashed).digest()), fixture.id)
      const text = hashed.toString('utf8')
      const networkIdText = text.slice(text.indexOf(')') + 1, text.length - fixture.salt.length)
      const ours = nodeId({ host, port, networkId: networkIdText, salt: fixture.salt })
      assert.equal(ours, fixture.id)
      return undefined
    }
  }
}

/** The time as it stands in a message: up to 0.3 zero has no digits. */
function timePacketOf(time: number, version: LegacyVersion): string {
  const frame = encodeLegacyFrame({ version, type: 'x', sender: '', time, payload: [] })
  return Buffer.from(splitWithTable(frame.subarray(4))[3] ?? []).toString('utf8')
}
