import { describe, expect, test } from '@jest/globals'
import { encodeValue } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { Replica, type Origin } from '../../src/protocol/replica.ts'
import { defaultReplicaLimits, type ReplicaLimits } from '../../src/protocol/replica-limits.ts'
import type { Write } from '../../src/protocol/write.ts'

const now = 1_500_000_000
const key = textToByteText('key')

function replicaOf(limits: Partial<ReplicaLimits> = {}): Replica {
  const rule = { leasing: true, leaseSeconds: 3_600 }
  return new Replica(rule, { ...defaultReplicaLimits, ...limits })
}

function write(value: string, more: Partial<Write> = {}): Write {
  const by = { owner: textToByteText('a'), time: now, sequence: 0 }
  return { kind: 'set', value: encodeValue(value), ...by, knew: [], ...more }
}

/** Why a write is not taken in; undefined when it is. */
function refusal(replica: Replica, name: string, one: Write, origin: Origin = 'live'): unknown {
  const result = replica.merge(textToByteText(name), one, origin, now)
  return result.type === 'refused' ? result.reason : undefined
}

describe('a replica refuses', () => {
  test('what is stamped further ahead than clocks differ', () => {
    const replica = replicaOf({ maxAheadSeconds: 10 })
    expect(refusal(replica, 'key', write('x', { time: now + 10 }))).toBeUndefined()
    expect(refusal(replica, 'other', write('x', { time: now + 11 }))).toBe('ahead')
  })

  test('an entry larger than maxEntryBytes, key and value together', () => {
    const replica = replicaOf({ maxEntryBytes: 20 })
    expect(refusal(replica, 'key', write('x'.repeat(16)))).toBeUndefined()
    expect(refusal(replica, 'key2', write('x'.repeat(16)))).toBe('too-large')
  })

  test('more keys than maxKeys, but no changes of those it has', () => {
    const replica = replicaOf({ maxKeys: 2 })
    expect(refusal(replica, 'one', write('x'))).toBeUndefined()
    expect(refusal(replica, 'two', write('x'))).toBeUndefined()
    expect(refusal(replica, 'three', write('x'))).toBe('too-many-keys')
    expect(refusal(replica, 'two', write('y', { time: now + 1 }))).toBeUndefined()
  })

  test('more writes of one key than maxWritesPerKey', () => {
    const replica = replicaOf({ maxWritesPerKey: 3 })
    const reasons = ['a', 'b', 'c', 'd'].map((owner) =>
      refusal(replica, 'key', write('x', { owner: textToByteText(owner) })),
    )
    expect(reasons).toEqual([undefined, undefined, undefined, 'too-many-writes'])
  })

  test('what it knows, and the delete of a key that everybody has forgotten', () => {
    const replica = replicaOf({ tombstoneSeconds: 100 })
    expect(refusal(replica, 'key', write('x'))).toBeUndefined()
    expect(refusal(replica, 'key', write('x'))).toBe('known')
    const old = write('', { kind: 'delete', value: new Uint8Array(0), time: now - 101 })
    expect(refusal(replica, 'gone', old)).toBe('outdated')
    expect(refusal(replica, 'gone', { ...old, time: now - 100 })).toBeUndefined()
  })
})

test('our next write comes after everything known, also after writes of ours from a faster clock', () => {
  const replica = replicaOf()
  const fields = { kind: 'set', value: encodeValue('x') } as const
  const by = { owner: textToByteText('a'), utcSeconds: now }
  expect(replica.compose(key, fields, by)).toMatchObject({ time: now, sequence: 0 })
  refusal(replica, 'key', write('one', { time: now + 5, sequence: 3 }))
  refusal(replica, 'key', write('other', { time: now + 1, owner: textToByteText('b') }))
  expect(replica.compose(key, fields, by)).toMatchObject({ time: now + 5, sequence: 4 })
  const other = { owner: textToByteText('c'), utcSeconds: now }
  expect(replica.compose(key, fields, other)).toMatchObject({ time: now + 2, sequence: 0 })
})

test('a log is put back once, before anything else is known of its key', () => {
  const replica = replicaOf()
  replica.restore(key, { writes: [], folded: false })
  expect(replica.knownCount).toBe(0)
  replica.restore(key, { writes: [write('kept')], folded: false })
  replica.restore(key, { writes: [write('late', { time: now + 1 })], folded: false })
  expect(replica.value(key)).toEqual(encodeValue('kept'))
})
