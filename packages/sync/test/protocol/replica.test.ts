import { describe, expect, test } from '@jest/globals'
import { decodeValue, encodeValue } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { Replica, type Origin } from '../../src/protocol/replica.ts'
import {
  defaultReplicaLimits,
  maxOwnerBytes,
  type ReplicaLimits,
} from '../../src/protocol/replica-limits.ts'
import { maxSequence, type Write } from '../../src/protocol/write.ts'

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

  test('what would take it over maxBytes, but nothing that takes no more room than before', () => {
    // Keys of one letter, and texts with a byte before them.
    const replica = replicaOf({ maxBytes: 3 + 13 + 3 })
    expect(refusal(replica, 'a', write('x'))).toBeUndefined()
    expect(refusal(replica, 'b', write('x'.repeat(11)))).toBeUndefined()
    expect(refusal(replica, 'c', write('x'))).toBeUndefined()
    expect(refusal(replica, 'd', write(''))).toBe('too-many-bytes')
    const later = { time: now + 1, knew: [] }
    expect(refusal(replica, 'a', write('xx', later))).toBe('too-many-bytes')
    const noValue = { kind: 'delete', value: new Uint8Array(0), ...later } as const
    expect(refusal(replica, 'b', write('', noValue))).toBeUndefined()
    // The first write of a lease stays known until it is folded.
    expect(refusal(replica, 'd', write(''))).toBe('too-many-bytes')
    replica.sweep(now + 3 * 3_600)
    expect(refusal(replica, 'd', write(''))).toBeUndefined()
    replica.sweep(now + 8 * 86_400)
    expect(refusal(replica, 'e', write('x'.repeat(8)))).toBeUndefined()
    expect(refusal(replica, 'f', write('x'))).toBe('too-many-bytes')
  })

  test('more writes of one key than maxWritesPerKey', () => {
    const replica = replicaOf({ maxWritesPerKey: 3 })
    const reasons = ['a', 'b', 'c', 'd'].map((owner) =>
      refusal(replica, 'key', write('x', { owner: textToByteText(owner) })),
    )
    expect(reasons).toEqual([undefined, undefined, undefined, 'too-many-writes'])
  })

  test('a number of writes in one second, and an id, that nobody has', () => {
    const replica = replicaOf()
    expect(refusal(replica, 'key', write('x', { sequence: maxSequence }))).toBeUndefined()
    expect(refusal(replica, 'other', write('x', { sequence: maxSequence + 1 }))).toBe('ahead')
    const owner = (bytes: number): Partial<Write> => ({ owner: textToByteText('o'.repeat(bytes)) })
    expect(refusal(replica, 'long', write('x', owner(maxOwnerBytes)))).toBeUndefined()
    expect(refusal(replica, 'longer', write('x', owner(maxOwnerBytes + 1)))).toBe('too-large')
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

test('a full log takes a write that takes the place of others', () => {
  const replica = replicaOf({ maxWritesPerKey: 4 })
  // All of one tenure.
  const knew = [{ owner: textToByteText('a'), time: now, sequence: 3 }]
  for (const field of ['one', 'two', 'three', 'four']) {
    const value = encodeValue({ [field]: 1 })
    refusal(replica, 'key', write('', { kind: 'delta', value, sequence: field.length, knew }))
  }
  const five = write('', { kind: 'delta', value: encodeValue({ five: 1 }), sequence: 7, knew })
  expect(refusal(replica, 'key', five)).toBe('too-many-writes')
  expect(refusal(replica, 'key', write('all', { sequence: 8, knew }))).toBeUndefined()
  expect(replica.value(key)).toEqual(encodeValue('all'))
})

test('the deltas of one owner have no end: some of them say what all before them said', () => {
  const replica = replicaOf()
  const by = { owner: textToByteText('a'), utcSeconds: now }
  const fields = Array.from({ length: 300 }, (_, i) => [`field ${i}`, i] as const)
  for (const [field, at] of fields) {
    const delta = { kind: 'delta', value: encodeValue({ [field]: at }) } as const
    expect(refusal(replica, 'key', replica.compose(key, delta, by))).toBeUndefined()
  }
  expect(decodeValue(replica.value(key)!)).toEqual(Object.fromEntries(fields))
})

test('numbers of writes in one second end where a record can still carry them', () => {
  const replica = replicaOf()
  refusal(replica, 'key', write('forged', { sequence: maxSequence }))
  refusal(replica, 'key', write('of an old node', { knew: undefined }))
  expect(replica.log(key)?.writes.map(({ sequence }) => sequence)).toEqual([
    maxSequence,
    maxSequence,
  ])
  const by = { owner: textToByteText('a'), utcSeconds: now }
  const next = replica.compose(key, { kind: 'set', value: encodeValue('ours') }, by)
  expect(next).toMatchObject({ time: now + 1, sequence: 0 })
  expect(refusal(replica, 'key', next)).toBeUndefined()
})

test('a base may hold more than a write, up to an entry without its key', () => {
  const replica = replicaOf({ maxEntryBytes: 20 })
  const old = { time: now - 20_000 }
  expect(refusal(replica, 'key', write('x'.repeat(19), old), 'base')).toBeUndefined()
  expect(refusal(replica, 'other', write('x'.repeat(20), old), 'base')).toBe('too-large')
})
