/**
 * The lease decision: may a change that arrives now replace what is there? Each case is checked twice:
 * our model of the originals' decision (used to predict old neighbours), and what our replica does,
 * which decides by the stamps of the writes alone and therefore differs where the originals ask the
 * clock or the order of arrival.
 */
import assert from 'node:assert/strict'
import { wholeNumber } from '@p2p/serializer'
import { Replica, defaultReplicaLimits, leaseSeconds, originalAccepts, toByteText } from '@p2p/sync'
import type { Stamp, Write } from '@p2p/sync'
import * as z from 'zod'
import { caseChecks, differs } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { tagged, valueOf } from '../tagged-value.ts'

const metadata = z.object({ owner: tagged, timestamp: tagged })
const verdict = z.union([z.object({ allowed: z.boolean() }), z.object({ error: z.string() })])

const leaseCase = z.object({
  name: z.string(),
  meta: metadata.nullable(),
  new_meta: metadata,
  now: z.number(),
  leasing: z.boolean().nullable(),
  delta: z.boolean(),
  py2p: verdict,
  js2p: verdict,
})

type LeaseCase = z.infer<typeof leaseCase>

export const syncLease: FixtureSet = {
  name: 'sync-lease',
  describes: (file) => file.name === 'sync-lease',
  checks: (file) =>
    caseChecks(file, leaseCase, (fixture) => [
      { name: `${fixture.name} / original`, run: () => checkOriginal(fixture) },
      { name: `${fixture.name} / replica`, run: () => checkReplica(fixture) },
    ]),
}

/** Undefined for what is no owner or no time: a message that says such a thing is not taken. */
function stampOf(meta: z.infer<typeof metadata>): Stamp | undefined {
  const owner = toByteText(valueOf(meta.owner))
  const time = wholeNumber(valueOf(meta.timestamp))
  return owner === undefined || time === undefined ? undefined : { owner, time }
}

/** Node ids of one text, or of bytes: what the originals do not take for the same, we do. */
function isMixed({ meta, new_meta }: LeaseCase): boolean {
  return meta !== null && meta.owner.t !== new_meta.owner.t
}

/** py2p counts leases as on when nothing is said. */
function ruleOf({ leasing }: LeaseCase): { leasing: boolean; leaseSeconds: number } {
  return { leasing: leasing ?? true, leaseSeconds }
}

function checkOriginal(fixture: LeaseCase): Verdict | undefined {
  const held = fixture.meta === null ? undefined : stampOf(fixture.meta)
  const change = stampOf(fixture.new_meta)
  if (change === undefined || (held === undefined && fixture.meta !== null)) {
    return differs('keys-and-owners-are-bytes')
  }
  const isDelta = fixture.delta
  const allowed = originalAccepts(held, { ...change, isDelta }, ruleOf(fixture), fixture.now)
  if ('error' in fixture.py2p || isMixed(fixture)) {
    if ('allowed' in fixture.py2p && fixture.py2p.allowed === allowed) return undefined
    assert.equal(typeof allowed, 'boolean')
    return differs('keys-and-owners-are-bytes')
  }
  assert.equal(allowed, fixture.py2p.allowed)
  return undefined
}

function checkReplica(fixture: LeaseCase): Verdict | undefined {
  const held = fixture.meta === null ? undefined : stampOf(fixture.meta)
  const change = stampOf(fixture.new_meta)
  if (change === undefined || (held === undefined && fixture.meta !== null)) {
    return differs('keys-and-owners-are-bytes')
  }
  const rule = ruleOf(fixture)
  const replica = new Replica(rule, { ...defaultReplicaLimits, maxAheadSeconds: Infinity })
  const key = toByteText('key')
  assert.ok(key !== undefined)
  if (held !== undefined) {
    replica.merge(key, write(held, fixture.delta ? 0x80 : 0xc3, 'set'), 'copy', fixture.now)
  }
  const before = replica.state(key).holder
  const incoming = write(change, fixture.delta ? 0x80 : 0xc2, fixture.delta ? 'delta' : 'set')
  replica.merge(key, incoming, 'live', fixture.now)
  const { holder } = replica.state(key)
  const taken = holder !== before && holder?.owner === change.owner && holder.time === change.time
  if ('allowed' in fixture.py2p && fixture.py2p.allowed === taken) return undefined
  if ('error' in fixture.py2p || isMixed(fixture)) return differs('keys-and-owners-are-bytes')
  assertStampsDecide({ held, change, taken, fixture })
  return differs('stamps-decide')
}

/** Where we differ, it is by the rule: the earlier lease stays, the later of one owner's writes stays. */
function assertStampsDecide(decision: {
  readonly held: Stamp | undefined
  readonly change: Stamp
  readonly taken: boolean
  readonly fixture: LeaseCase
}): void {
  const { held, change, taken, fixture } = decision
  assert.ok(held !== undefined, 'a free key is taken by whoever comes')
  if (held.owner === change.owner || !ruleOf(fixture).leasing) {
    assert.equal(taken, change.time > held.time)
    return
  }
  const isFirst =
    change.time < held.time || (change.time === held.time && change.owner < held.owner)
  const apart = Math.abs(held.time - change.time)
  assert.equal(taken, isFirst ? apart <= leaseSeconds : apart > leaseSeconds)
}

function write({ owner, time }: Stamp, value: number, kind: 'set' | 'delta'): Write {
  return { kind, owner, time, sequence: 0, value: Uint8Array.of(value), knew: undefined }
}
