/**
 * Renegotiation on a link: a new list of methods, the wish for a resend, and frames that cannot be read,
 * against our peer layer with an acted py2p at the other end. The link has to survive all of it that is
 * readable, and the answer has to be py2p's where py2p's is sound.
 */
import assert from 'node:assert/strict'
import { decodableMethods, decodeFrame, encodeFrame, encodeValue, negotiate } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import * as z from 'zod'
import { ActedPeer, closesIn, framesIn } from '../acted-peer.ts'
import { differs, skipped } from '../fixture-set.ts'
import type { Verdict } from '../fixture-set.ts'
import { bytesFromHex, hexOf, sha256Hex } from '../recorded-bytes.ts'
import { assertArray, tagged, valueOf } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'

const recordedClock = 1_500_000_000

interface SentFrame {
  readonly decoded: Tagged
}

export interface RenegotiateCase {
  readonly name: string
  readonly kind: 'renegotiate'
  readonly local: readonly number[]
  readonly before: {
    readonly compression: readonly number[]
    readonly last_sent: readonly Tagged[] | null
  }
  /** The elements of the message that comes in. */
  readonly in: readonly Tagged[]
  readonly py2p: { readonly out: readonly SentFrame[] }
}

export const renegotiateCase: z.ZodType<RenegotiateCase> = z.object({
  name: z.string(),
  kind: z.literal('renegotiate'),
  local: z.array(z.number()),
  before: z.object({ compression: z.array(z.number()), last_sent: z.array(tagged).nullable() }),
  in: z.array(tagged),
  py2p: z.object({ out: z.array(z.object({ decoded: tagged })) }),
})

export interface UnreadableCase {
  readonly name: string
  readonly kind: 'unreadable'
  readonly before: { readonly compression: readonly number[] }
  readonly frame: string
  readonly py2p: { readonly outcome: string }
}

export const unreadableCase: z.ZodType<UnreadableCase> = z.object({
  name: z.string(),
  kind: z.literal('unreadable'),
  before: z.object({ compression: z.array(z.number()) }),
  frame: z.string(),
  py2p: z.object({ outcome: z.enum(['renegotiate', 'disconnect']) }),
})

export function checkRenegotiate(fixture: RenegotiateCase): Verdict | undefined {
  const { local, before } = fixture
  const method = negotiate(local, before.compression)
  if (method !== undefined && !decodableMethods.includes(method)) {
    return skipped(`method ${method} is not written`)
  }
  const acted = newActedPeer(local)
  acted.open(before.compression)
  const last = before.last_sent?.map(valueOf) ?? []
  const [lastFrame] = last.length > 0 ? framesIn(acted.send(last)) : []

  const elements = fixture.in.map(valueOf)
  const body = encodeValue(elements)
  const effects = acted.receiveFrame(encodeFrame({ body, id: bytesFromHex(sha256Hex(body)) }))
  assert.deepEqual(closesIn(effects), [], 'the link stays open')
  const sent = framesIn(effects).map((frame) => decodeFrame(frame))
  const [type, , , subFlag, list] = elements
  if (type === true) {
    assert.deepEqual(sent, [])
    return differs('python-equality')
  }
  if (Number(type) === 1 && subFlag === 9) return checkResend(sent, lastFrame)
  if (Number(type) === 1 && subFlag === 1 && !Array.isArray(list)) {
    assert.deepEqual(sent, [], 'no answer to what is no list')
    return differs('method-numbers-only')
  }
  return checkAnswers(sent, fixture.py2p.out)
}

function newActedPeer(methods: readonly number[]): ActedPeer {
  return new ActedPeer({ ownId: 'PYNQDE', otherId: 'PEER', methods, utcSeconds: recordedClock })
}

/** The last message again, whole: py2p's own is missing its main flag. */
function checkResend(
  sent: readonly WireMessage[],
  lastFrame: Uint8Array | undefined,
): Verdict | undefined {
  if (lastFrame === undefined) {
    assert.deepEqual(sent, [], 'nothing was sent, so nothing is sent again')
    return undefined
  }
  assert.deepEqual(sent.map(idOf), [idOf(decodeFrame(lastFrame))], 'the last message')
  return differs('resends-whole')
}

function idOf(message: WireMessage): string {
  return hexOf(message.id)
}

/** The same answers as py2p, our id apart. */
function checkAnswers(
  sent: readonly WireMessage[],
  expected: readonly SentFrame[],
): Verdict | undefined {
  assert.equal(sent.length, expected.length, 'number of answers')
  for (const [index, message] of sent.entries()) {
    const recorded = expected[index]?.decoded
    assert.ok(recorded?.t === 'array' && 'v' in recorded, 'recorded answer')
    const [type, , , ...payload] = recorded.v
    assert.ok(type !== undefined)
    const values: readonly Value[] = [message.type, ...message.payload]
    assertArray(values, [type, ...payload], 'answer')
  }
  return undefined
}

export function checkUnreadable(fixture: UnreadableCase): Verdict | undefined {
  const acted = newActedPeer(decodableMethods)
  acted.open(fixture.before.compression)
  const effects = acted.receiveFrame(bytesFromHex(fixture.frame))
  assert.deepEqual(framesIn(effects), [], 'no answer')
  if (fixture.py2p.outcome === 'disconnect') {
    assert.deepEqual(closesIn(effects), ['P2P_BAD_FRAME'], 'closed')
    return undefined
  }
  assert.deepEqual(closesIn(effects), [], 'the link stays open')
  return differs('never-asks-again')
}
