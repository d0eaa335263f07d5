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

test('a node that joins before others have swept takes all they tell of an hour that is to be folded', () => {
  const [one, other] = [replicaOf(), replicaOf()]
  const hour = now - (now % 3_600)
  const by = (utcSeconds: number) => ({ owner: textToByteText('a'), utcSeconds })
  for (const [at, text] of ['old', 'new'].entries()) {
    const time = hour + 600 + at
    const value = encodeValue(text)
    one.merge(key, one.compose(key, { kind: 'set', value }, by(time)), 'live', time)
  }
  const later = hour + 3 * 3_600
  for (const seconds of [later, later + 1_000]) {
    const joining = replicaOf()
    for (const write of one.log(key)!.writes) joining.merge(key, write, 'record', seconds)
    expect(joining.value(key)).toEqual(encodeValue('new'))
  }
  one.sweep(later)
  for (const write of one.log(key)!.writes) other.merge(key, write, 'base', later)
  expect(other.value(key)).toEqual(encodeValue('new'))
})

test('more owners than a log has room for come to the same, in whatever order they are heard', () => {
  const writes = Array.from({ length: 300 }, (_, i) =>
    write('x', { owner: textToByteText(`owner ${String(i).padStart(3)}`) }),
  )
  const logs = [writes, writes.toReversed()].map((order) => {
    const replica = replicaOf()
    for (const one of order) refusal(replica, 'key', one)
    return replica.log(key)!.writes
  })
  expect(logs[0]).toEqual(writes.slice(0, defaultReplicaLimits.maxWritesPerKey))
  expect(logs[1]).toEqual(logs[0])
})

test('the copy of an old node takes no field away that came before the delta it is stamped with', () => {
  const replica = replicaOf()
  const delta = (fields: Record<string, string>, time: number): Write =>
    write('', { kind: 'delta', value: encodeValue(fields), time: now + time })
  refusal(replica, 'key', write('', { value: encodeValue({ volume: 3 }), time: now - 2 }))
  refusal(replica, 'key', delta({ colour: 'red' }, -1))
  refusal(replica, 'key', delta({ language: 'en' }, 0))
  const value = encodeValue({ volume: 3, language: 'en' })
  const copy = write('', { value, knew: undefined })
  expect(refusal(replica, 'key', copy, 'copy')).toBe('known')
  expect(decodeValue(replica.value(key)!)).toEqual({ volume: 3, colour: 'red', language: 'en' })
  // Who heard of the delta alone learns the rest from it.
  refusal(replica, 'other', delta({ language: 'en' }, 0))
  expect(refusal(replica, 'other', copy, 'copy')).toBeUndefined()
  expect(replica.value(textToByteText('other'))).toEqual(value)
})

test('a loss is told once, however often the write comes again', () => {
  const limits = { ...defaultReplicaLimits }
  const replica = new Replica({ leasing: false, leaseSeconds: 3_600 }, limits)
  refusal(replica, 'key', write('ours', { time: now + 1 }))
  const lost = write('theirs', { owner: textToByteText('b') })
  const told = Array.from({ length: 3 }, () => {
    const result = replica.merge(key, lost, 'record', now + 2)
    return result.type === 'merged' ? result.change.lost.length : result.reason
  })
  expect(told).toEqual([1, 'outdated', 'outdated'])
})
