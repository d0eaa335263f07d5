import { encodeValue } from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { readFields } from '../../src/protocol/delta.ts'
import { leaseSeconds } from '../../src/protocol/lease.ts'
import { fold } from '../../src/protocol/fold.ts'
import { lostWrites, replay } from '../../src/protocol/replay.ts'
import { Replica } from '../../src/protocol/replica.ts'
import { defaultReplicaLimits } from '../../src/protocol/replica-limits.ts'
import type { Write, WriteKind } from '../../src/protocol/write.ts'
import { Random } from '../random.ts'

const key = textToByteText('key')
const now = 1_500_000_000

function write(owner: string, time: number, value: unknown, kind: WriteKind = 'set'): Write {
  const bytes = kind === 'delete' ? new Uint8Array(0) : encodeValue(value as string)
  return {
    kind,
    owner: textToByteText(owner),
    time: now + time,
    sequence: 0,
    value: bytes,
    knew: [],
  }
}

function stateAfter(writes: readonly Write[], leasing: boolean): string {
  const replica = new Replica({ leasing, leaseSeconds }, defaultReplicaLimits)
  for (const one of writes) replica.merge(key, one, 'record', now + 7_000)
  return picture(replica.state(key).value)
}

function picture(value: Uint8Array | undefined): string {
  if (value === undefined) return 'absent'
  const fields = [...readFields(value)]
    .map(([name, field]) => `${name}=${field.value.join()}`)
    .sort()
  return fields.length > 0 ? fields.join(' ') : value.join()
}

/**
 * The oracle: the rule as a sentence, on plain objects, over all writes that ever were. Nothing is
 * dropped, folded or cached.
 */
function oracle(writes: readonly Write[], leasing: boolean): string {
  const ordered = [...writes].sort((a, b) => {
    if (a.time !== b.time) return a.time - b.time
    const byOwner = a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0
    if (byOwner !== 0) return leasing ? byOwner : -byOwner
    if (a.kind !== b.kind)
      return ['set', 'delta', 'delete'].indexOf(a.kind) - ['set', 'delta', 'delete'].indexOf(b.kind)
    return Buffer.compare(a.value, b.value)
  })
  let owner: string | undefined
  let since = 0
  let state: Map<string, string> | string | undefined
  for (const { kind, owner: author, time, value } of ordered) {
    const isFree = state === undefined
    if (leasing && !isFree && owner !== author && time - since <= leaseSeconds) continue
    if (kind === 'delta') {
      if (typeof state === 'string') continue
      state = new Map([...(state ?? []), ...plain(value)])
    } else if (kind === 'delete') state = undefined
    else state = value[0]! >> 4 === 8 ? plain(value) : value.join()
    ;[owner, since] = [author, time]
  }
  if (state === undefined) return 'absent'
  if (typeof state === 'string') return state
  return (
    [...state]
      .map(([name, field]) => `${name}=${field}`)
      .sort()
      .join(' ') || '128'
  )
}

function plain(mapping: Uint8Array): Map<string, string> {
  return new Map([...readFields(mapping)].map(([name, { value }]) => [name, value.join()]))
}

function randomWrites(random: Random, count: number): Write[] {
  const kinds: readonly WriteKind[] = ['set', 'set', 'set', 'delta', 'delete']
  return Array.from({ length: count }, () => {
    const kind = random.pick(kinds)
    const value =
      kind === 'delta' || random.chance(0.4)
        ? { [random.pick('abc'.split(''))]: random.below(99) }
        : random.below(99)
    return write(random.pick(['A', 'B', 'C']), random.below(6_900), value, kind)
  })
}

test('without leases the state is what the oracle says, whatever the order of arrival', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed)
    const writes = randomWrites(random, 1 + random.below(12))
    expect([seed, stateAfter(writes, false)]).toEqual([seed, oracle(writes, false)])
    expect([seed, stateAfter(writes.reverse(), false)]).toEqual([seed, oracle(writes, false)])
  }
})

test('with leases the state is what the oracle says, as long as each owner writes once in a lease', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed)
    const taken = new Set<string>()
    const writes = randomWrites(random, 1 + random.below(12)).filter(({ owner, time }) => {
      const name = `${owner} ${Math.floor(time / leaseSeconds)}`
      return taken.has(name) ? false : taken.add(name)
    })
    expect([seed, stateAfter(writes, true)]).toEqual([seed, oracle(writes, true)])
    expect([seed, stateAfter(writes.reverse(), true)]).toEqual([seed, oracle(writes, true)])
  }
})

test('with leases the order of arrival makes no difference', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed)
    const writes = randomWrites(random, 1 + random.below(16))
    const other = [...writes].sort(() => random.unit() - 0.5)
    expect([seed, stateAfter(writes, true)]).toEqual([seed, stateAfter(other, true)])
  }
})

test('writes at 0, 3,000 and 4,000 seconds by three owners, which beat each other in a circle, have one winner', () => {
  const [a, b, c] = [write('A', 0, 'a'), write('B', 3_000, 'b'), write('C', 4_000, 'c')]
  for (const order of [
    [a, b, c],
    [c, b, a],
    [b, c, a],
    [b, a, c],
  ]) {
    expect(stateAfter(order, true)).toBe(picture(encodeValue('c')))
  }
})

test('two owners in one second: the smaller id wins, with leases and without', () => {
  const writes = [write('A', 0, 'a'), write('B', 0, 'b')]
  expect(stateAfter(writes, true)).toBe(picture(encodeValue('a')))
  expect(stateAfter(writes, false)).toBe(picture(encodeValue('a')))
})

test('a lease holds for exactly 3,600 seconds after the last write, and not one more', () => {
  expect(stateAfter([write('a', 0, 'a'), write('b', 3_600, 'b')], true)).toBe(
    picture(encodeValue('a')),
  )
  expect(stateAfter([write('a', 0, 'a'), write('b', 3_601, 'b')], true)).toBe(
    picture(encodeValue('b')),
  )
})

test('deltas that make together what nobody can take are left out, and told as lost', () => {
  const rule = { leasing: false, leaseSeconds, maxEntryBytes: 20 }
  const writes = [write('A', 0, { a: 1 }), write('B', 1, { b: 'x'.repeat(16) }, 'delta')]
  expect(picture(replay(writes.slice(0, 1), rule).value)).toBe(picture(writes[0]!.value))
  const state = replay(writes, rule)
  expect(state).toMatchObject({ holder: writes[1], value: writes[0]!.value, parts: [writes[0]] })
  expect(lostWrites(writes, state)).toEqual([writes[1]])
  const twice = [write('A', 0, new Map([[[1], 1]])), write('B', 1, new Map([[[true], 1]]), 'delta')]
  expect(replay(twice, { leasing: false, leaseSeconds }).value).toEqual(twice[0]!.value)
  const base = fold({ writes, folded: false }, now + 10_000, rule).writes
  expect(base).toMatchObject([{ kind: 'set', owner: 'B', value: writes[0]!.value }])
})

test('the deltas of many owners to one key are judged in one go over their fields', () => {
  let reads = 0
  const bytes = encodeValue({ field: 1 })
  const counted = new Proxy(bytes, {
    get: (target, name) => {
      if (name === 'subarray') reads++
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const owners = Array.from({ length: 100 }, (_, i) => `owner ${i}`)
  const writes = owners.map((owner) => ({ ...write(owner, 0, {}, 'delta'), value: counted }))
  const state = replay(writes, { leasing: false, leaseSeconds })
  expect(lostWrites(writes, state)).toHaveLength(99)
  // For the value and for what is lost, key and value of the field each.
  expect(reads).toBeLessThanOrEqual(2 * 2 * 100)
})
