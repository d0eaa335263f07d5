/**
 * One step of a dictionary node: what it held, what came or was called, then its state, events and
 * messages. Our messages, replica and lease rule are put through the same step and compared with py2p.
 */
import assert from 'node:assert/strict'
import { createMessage, decodeValue, encodeValue, idText, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import {
  Replica,
  createCopyMessage,
  createWriteMessage,
  currentLease,
  defaultReplicaLimits,
  leaseSeconds,
  readWrite,
  toByteText,
} from '@p2p/sync'
import type { ByteText, MergeResult, WriteKind } from '@p2p/sync'
import * as z from 'zod'
import { caseChecks, differs } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { assertValue, tagged, valueOf } from '../tagged-value.ts'

const entry = z.tuple([tagged, tagged, tagged, tagged])
const event = z.object({
  ev: z.string(),
  key: tagged,
  value: tagged.optional(),
  owner: tagged.optional(),
  timestamp: tagged.optional(),
})

const stepCase = z.object({
  name: z.string(),
  leasing: z.boolean().nullable(),
  self_py2p: tagged,
  now: z.number(),
  before: z.array(entry),
  action: z.discriminatedUnion('do', [
    z.object({
      do: z.enum(['store', 'delta']),
      packets: z.array(tagged),
      sender: tagged,
      time: tagged,
    }),
    z.object({ do: z.literal('set'), key: tagged, value: tagged }),
    z.object({ do: z.literal('del'), key: tagged }),
    z.object({ do: z.literal('apply_delta'), key: tagged, delta: tagged }),
    z.object({ do: z.literal('send_peers') }),
  ]),
  py2p: z.object({
    error: z.string().nullable(),
    events: z.array(event),
    sent: z.array(z.array(tagged)),
    after: z.array(entry),
  }),
})

type Step = z.infer<typeof stepCase>

export const syncSteps: FixtureSet = {
  name: 'sync-steps',
  describes: (file) => file.name === 'sync-steps',
  checks: (file) =>
    caseChecks(file, stepCase, (fixture) => [
      { name: fixture.name, run: () => checkStep(fixture) },
    ]),
}

function checkStep(step: Step): Verdict | undefined {
  const replica = replicaBefore(step)
  const before = stateOf(replica)
  const { action } = step
  switch (action.do) {
    case 'store':
    case 'delta':
      return checkArrival(step, action, replica, before)
    case 'send_peers':
      checkCopies(step, replica)
      return undefined
    case 'set':
      return checkCall(step, replica, 'set', action.key, valueOf(action.value))
    case 'del':
      return checkCall(step, replica, 'delete', action.key, null)
    case 'apply_delta':
      return checkCall(step, replica, 'delta', action.key, valueOf(action.delta))
  }
}

function replicaBefore(step: Step): Replica {
  const rule = { leasing: step.leasing ?? true, leaseSeconds }
  const replica = new Replica(rule, defaultReplicaLimits)
  for (const [key, value, owner, time] of step.before) {
    const ownerText = bytesOf(valueOf(owner))
    const stamp = { owner: ownerText, time: Number(valueOf(time)), sequence: 0, knew: undefined }
    const write = { kind: 'set' as const, value: encodeValue(valueOf(value)), ...stamp }
    replica.merge(bytesOf(valueOf(key)), write, 'copy', step.now)
  }
  return replica
}

function bytesOf(value: Value): ByteText {
  const text = toByteText(value)
  assert.ok(text !== undefined, 'a key or owner is text or bytes')
  return text
}

type Row = readonly [ByteText, string, ByteText, number]

function stateOf(replica: Replica): readonly Row[] {
  return [...replica.keys()].map((key): Row => {
    const { holder, value } = replica.state(key)
    assert.ok(holder !== undefined && value !== undefined)
    return [key, Buffer.from(value).toString('hex'), holder.owner, holder.time]
  })
}

/** True when the replica holds what py2p held afterwards, compared as bytes. */
function holdsAfter(step: Step, replica: Replica): boolean {
  const rows = step.py2p.after.map(([key, value, owner, time]) => [
    toByteText(valueOf(key)),
    Buffer.from(encodeValue(valueOf(value))).toString('hex'),
    toByteText(valueOf(owner)),
    Number(valueOf(time)),
  ])
  try {
    assert.deepEqual(stateOf(replica), rows)
    return true
  } catch {
    return false
  }
}

function checkArrival(
  step: Step,
  action: Extract<Step['action'], { do: 'store' | 'delta' }>,
  replica: Replica,
  before: readonly Row[],
): Verdict | undefined {
  const isCopy = action.do === 'store' && action.packets.length === 5
  const message = createMessage({
    type: isCopy ? 2 : 0,
    sender: idText(valueOf(action.sender)) ?? '',
    time: wholeNumber(valueOf(action.time)) ?? 0,
    payload: action.packets.map(valueOf),
  })
  const read = readWrite(message)
  if (read === 'ignored') assert.fail('a store or delta was not recognised')
  if (read === 'invalid') {
    assert.deepEqual(stateOf(replica), before)
    return differs(step.py2p.error === null ? 'keys-and-owners-are-bytes' : 'survives-bad-writes')
  }
  const result = replica.merge(read.key, read.write, read.origin, step.now)
  if (holdsAfter(step, replica)) {
    checkEvents(step, result)
    return undefined
  }
  if (step.py2p.error !== null) {
    assert.deepEqual(stateOf(replica), before)
    return differs('survives-bad-writes')
  }
  return differenceOf(step, action, replica, before)
}

/** Each way in which a step may end otherwise than in py2p, with what has to hold then. */
function differenceOf(
  step: Step,
  action: Extract<Step['action'], { do: 'store' | 'delta' }>,
  replica: Replica,
  before: readonly Row[],
): Verdict {
  const [held] = step.before
  const sender = valueOf(action.sender)
  if (held !== undefined && typeof sender !== typeof valueOf(held[2])) {
    return differs('keys-and-owners-are-bytes')
  }
  if (held !== undefined && action.packets.length === 5) {
    const time = wholeNumber(valueOf(action.packets[4] ?? held[3])) ?? 0
    const sameOwner = bytesOf(valueOf(action.packets[3] ?? held[2])) === before[0]?.[2]
    assert.ok(sameOwner ? time < (before[0]?.[3] ?? 0) : time !== (before[0]?.[3] ?? 0))
    if (sameOwner) assert.deepEqual(stateOf(replica), before)
    return differs(sameOwner ? 'presence-not-truth' : 'stamps-decide')
  }
  const time = wholeNumber(valueOf(action.time)) ?? 0
  assert.ok(
    held !== undefined && time <= Number(valueOf(held[3])),
    'only an older write may differ',
  )
  return differs('stamps-decide')
}

function checkEvents(step: Step, result: MergeResult): void {
  const change = result.type === 'merged' ? result.change : undefined
  const changed = change !== undefined && change.after.holder !== change.before.holder
  assert.equal(changed ? 1 : 0, step.py2p.events.length)
  const [expected] = step.py2p.events
  if (expected === undefined || change === undefined) return
  assert.equal(change.key, toByteText(valueOf(expected.key)))
  assert.equal(expected.ev, change.after.value === undefined ? 'delete' : 'update')
  if (expected.value === undefined || change.after.value === undefined) return
  assertValue(decodeValue(change.after.value), expected.value)
}

function checkCall(
  step: Step,
  replica: Replica,
  kind: WriteKind,
  taggedKey: z.infer<typeof tagged>,
  value: Value,
): Verdict | undefined {
  const key = bytesOf(valueOf(taggedKey))
  const owner = bytesOf(valueOf(step.self_py2p))
  const lease = currentLease(replica.state(key).holder, replica.rule, step.now)
  const refused = lease !== undefined && lease.owner !== owner
  const bytes = kind === 'delete' ? new Uint8Array(0) : encodeValue(value)
  const write = replica.compose(key, { kind, value: bytes }, { owner, utcSeconds: step.now })
  const result = refused ? undefined : replica.merge(key, write, 'live', step.now)
  assert.ok(holdsAfter(step, replica), 'the state afterwards')
  if (step.py2p.error !== null) {
    // Refused by a lease, or a delta on what is no mapping, which the node object checks first.
    assert.ok(refused || (result?.type === 'merged' && result.change.after.holder !== write))
    return undefined
  }
  if (result !== undefined) checkEvents(step, result)
  const [sent] = step.py2p.sent
  assert.ok(sent !== undefined && step.py2p.sent.length === 1)
  const message = createWriteMessage(key, write)
  assertValue([message.type, ...message.payload], { t: 'array', v: sent })
  assert.ok(message.sender instanceof Uint8Array, 'a store goes out under bytes')
  return undefined
}

/** After its peers list, which is the mesh's, py2p sends one copy of each entry. */
function checkCopies(step: Step, replica: Replica): void {
  const id = bytesOf(valueOf(step.self_py2p))
  const copies = [...replica.keys()].map((key) => {
    const { holder, value } = replica.state(key)
    assert.ok(holder !== undefined && value !== undefined)
    return createCopyMessage(key, { holder, value }, { id, time: step.now })
  })
  const expected = step.py2p.sent.slice(1)
  assert.equal(copies.length, expected.length)
  copies.forEach((message, at) => {
    assertValue([message.type, ...message.payload], { t: 'array', v: expected[at] ?? [] })
  })
}
