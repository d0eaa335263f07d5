/**
 * Bad input for the decoder of 0.7. What both references refuse we refuse, with a DecodeError and
 * without taking much memory or time; what both take we take, unless a limit of ours speaks against it.
 * Where they disagree we do what py2p does. Every input is also fed to the stream splitter in pieces.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { deflateSync, gzipSync } from 'node:zlib'
import {
  decodableMethods,
  decodeFrame,
  encodeFrame,
  flags,
  FrameSplitter,
  openFrame,
} from '@p2p/serializer'
import * as z from 'zod'
import { ActedPeer, closesIn } from '../acted-peer.ts'
import { archiveReading } from '../archive-reading.ts'
import { withinBounds } from '../bounds.ts'
import { caseChecks, differs, skipped } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { compressAsOriginal, frameAround } from '../original-compressors.ts'
import { composeBytes, composedBytes } from '../recorded-bytes.ts'
import type { ComposedBytes } from '../recorded-bytes.ts'
import { refusalOf } from '../refusal.ts'

const verdict = z.enum(['accepts', 'rejects']).optional()
const malformedCase = z
  .object({
    name: z.string(),
    category: z.string(),
    compressions: z.array(z.number()),
    frame: composedBytes.optional(),
    packed: composedBytes.optional(),
    compress: z.string().optional(),
    frame_rule: z.object({ compress: z.string(), parts: composedBytes }).optional(),
    py2p: verdict,
    js2p: verdict,
  })
  .refine((entry) => entry.frame !== undefined || entry.packed !== undefined || entry.frame_rule)
type MalformedCase = z.infer<typeof malformedCase>

/** The machines were bounded by the decoder already; the largest inputs need not go through them too. */
const maxFrameToMachines = 2 * 1024 * 1024

export const malformed: FixtureSet = {
  name: 'malformed',
  describes: (file) =>
    file.name === 'malformed' && file.folder !== 'legacy' && file.folder !== 'p2py',
  checks: (file) =>
    caseChecks(file, malformedCase, (fixture) => [
      { name: fixture.name, run: () => checkMalformed(fixture) },
    ]),
}

const actedOptions = {
  ownId: 'qurse',
  otherId: 'PEER',
  methods: decodableMethods,
  utcSeconds: 1_500_000_000,
}

function checkMalformed(fixture: MalformedCase): Verdict | undefined {
  const frame = buildFrame(fixture)
  if (typeof frame === 'string') return skipped(frame)
  const refusal = withinBounds(() => refusalOf(() => decodeFrame(frame, archiveReading)))
  withinBounds(() => feedInPieces(frame))
  if (frame.length <= maxFrameToMachines) feedToMachines(frame)
  const { py2p, js2p } = fixture
  if (py2p === 'accepts') {
    if (refusal === undefined) return js2p === 'rejects' ? differs('any-known-method') : undefined
    return limitThatRefused(refusal.code, js2p === 'accepts')
  }
  if (refusal !== undefined) return js2p === 'accepts' ? differs('refuses-as-py2p') : undefined
  return takenAgainstPy2p(fixture, frame)
}

/** Why we may refuse what py2p takes. Anything else is a failure. */
function limitThatRefused(code: string, bothAccept: boolean): Verdict {
  switch (code) {
    case 'P2P_MSGPACK_TOO_DEEP':
      return differs('nesting-limit')
    case 'P2P_INFLATED_TOO_LARGE':
    case 'P2P_FRAME_TOO_LARGE':
      return differs('size-limit')
    case 'P2P_MESSAGE_NOT_ARRAY':
      return differs('root-must-be-an-array')
    case 'P2P_MESSAGE_HEADER':
      return differs(bothAccept ? 'message-header-types' : 'refuses-as-py2p')
    default:
      return assert.fail(`taken by py2p, refused by us with ${code}`)
  }
}

/** We take a block that py2p refuses only where its compression alone was the reason. */
function takenAgainstPy2p(fixture: MalformedCase, frame: Uint8Array): Verdict {
  assert.equal(fixture.category, 'bad-compressed', 'refused by py2p, taken by us')
  const plain = refusalOf(() => openFrame(frame, { methods: [] })) === undefined
  assert.ok(!plain, 'refused by py2p, taken by us although it is not compressed')
  const agreedReading = { ...archiveReading, methods: fixture.compressions }
  const agreed = refusalOf(() => openFrame(frame, agreedReading)) === undefined
  return differs(agreed ? 'checksum-decides' : 'any-known-method')
}

/**
 * What decodes still has to be coped with: before a handshake and after it, by the peer layer and by a
 * mesh, without a throw, and so that a sound message is still taken unless the link was closed.
 */
function feedToMachines(frame: Uint8Array): void {
  for (const machine of ['peers', 'mesh'] as const) {
    const stranger = new ActedPeer({ ...actedOptions, machine })
    stranger.connect()
    stranger.receiveFrame(frame)
    const acted = new ActedPeer({ ...actedOptions, machine })
    acted.open(decodableMethods)
    if (closesIn(acted.receiveFrame(frame)).length > 0) continue
    if (hasHalfFrame(frame)) continue
    const after = acted.receive(flags.broadcast, [flags.broadcast, 'still here'])
    const types = after.map(({ type }) => type)
    assert.ok(types.includes('peer-message') || types.includes('message'), 'deaf afterwards')
  }
}

/** True when the bytes end inside a frame, so that what follows belongs to it. */
function hasHalfFrame(bytes: Uint8Array): boolean {
  const splitter = new FrameSplitter()
  refusalOf(() => splitter.push(bytes))
  return splitter.pendingBytes > 0
}

/** The bytes on the wire, or why they cannot be made here. */
function buildFrame(fixture: MalformedCase): Uint8Array | string {
  const { frame, packed, frame_rule: rule, compress } = fixture
  if (frame !== undefined) return composeBytes(frame)
  if (rule !== undefined) {
    const block = compressParts(rule.parts, rule.compress)
    return typeof block === 'string' ? block : frameAround(block)
  }
  const body = composeBytes(packed ?? '')
  const id = createHash('sha256').update(body).digest()
  if (compress === undefined) return encodeFrame({ body, id })
  const block = compressBytes(Buffer.concat([id, body]), compress)
  return typeof block === 'string' ? block : frameAround(block)
}

function compressParts(parts: ComposedBytes, method: string): Uint8Array | string {
  const repeated = method === 'snappy' ? snappyOfRepeated(parts) : undefined
  return repeated ?? compressBytes(composeBytes(parts), method)
}

function compressBytes(bytes: Uint8Array, method: string): Uint8Array | string {
  if (method === 'zlib') return deflateSync(bytes)
  if (method === 'gzip') return gzipSync(bytes)
  return compressAsOriginal(bytes, method)
}

/**
 * A snappy block of one byte repeated, written by its format description: the length as a varint, the
 * byte as a literal, and copies of 64 bytes from one byte back.
 */
function snappyOfRepeated(parts: ComposedBytes): Uint8Array | undefined {
  const [only, more] = typeof parts === 'string' ? [] : parts
  if (only === undefined || more !== undefined || !('repeat' in only)) return undefined
  if (only.repeat.length !== 2 || only.count === 0) return undefined
  const block: number[] = []
  for (let rest = only.count; ; rest = Math.floor(rest / 128)) {
    block.push(rest < 128 ? rest : (rest % 128) + 128)
    if (rest < 128) break
  }
  block.push(0, Number.parseInt(only.repeat, 16))
  for (let left = only.count - 1; left > 0; left -= 64) {
    block.push(((Math.min(left, 64) - 1) << 2) | 2, 1, 0)
  }
  return Uint8Array.from(block)
}

/** As it would come from a socket: pieces of growing size, each frame decoded as it is whole. */
function feedInPieces(bytes: Uint8Array): void {
  const splitter = new FrameSplitter()
  let size = 1
  for (let start = 0; start < bytes.length; size = Math.min(2 * size, 65_536)) {
    const piece = bytes.subarray(start, start + size)
    start += size
    const streamEnded = refusalOf(() => {
      for (const frame of splitter.push(piece)) refusalOf(() => decodeFrame(frame))
    })
    if (streamEnded !== undefined) return
  }
}
