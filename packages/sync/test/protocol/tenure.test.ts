import { encodeValue } from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import type { ByteText } from '../../src/protocol/byte-text.ts'
import { currentLease, leaseSeconds } from '../../src/protocol/lease.ts'
import { replay } from '../../src/protocol/replay.ts'
import { Replica } from '../../src/protocol/replica.ts'
import { defaultReplicaLimits } from '../../src/protocol/replica-limits.ts'
import { compareWrites } from '../../src/protocol/write.ts'
import type { Write } from '../../src/protocol/write.ts'
import { Random } from '../random.ts'

const key = textToByteText('lock')
const hour = 1_500_000_000 - (1_500_000_000 % leaseSeconds)
const rule = { leasing: true, leaseSeconds }

/** A node as far as one key goes; what it writes, others hear when they are told. */
class Author {
  readonly owner: ByteText
  readonly replica = new Replica(rule, defaultReplicaLimits)
  readonly lost: string[] = []

  constructor(name: string) {
    this.owner = textToByteText(name)
  }

  write(seconds: number, value?: unknown): Write {
    const kind = value === undefined ? 'delete' : 'set'
    const bytes = value === undefined ? new Uint8Array(0) : encodeValue(value as string)
    const by = { owner: this.owner, utcSeconds: hour + seconds }
    const write = this.replica.compose(key, { kind, value: bytes }, by)
    this.hear(write, seconds)
    return write
  }

  hear(write: Write, seconds: number): void {
    const result = this.replica.merge(key, write, 'live', hour + seconds)
    if (result.type === 'merged') this.lost.push(...result.change.lost.map(({ owner }) => owner))
  }

  get holder(): string {
    const { holder } = this.replica.state(key)
    return holder === undefined || holder.kind === 'delete' ? 'free' : holder.owner
  }
}

/** Everybody writes without having heard the others, then all hear all. */
function race(authors: readonly Author[], racing: readonly Author[], seconds: number): Write[] {
  const writes = racing.map((author) => author.write(seconds, author.owner))
  for (const author of authors) for (const write of writes) author.hear(write, seconds)
  return writes
}

function tell(authors: readonly Author[], write: Write, seconds: number): void {
  for (const author of authors) author.hear(write, seconds)
}

test('who renews a key that it got in its second race keeps it', () => {
  const all = ['A', 'B', 'C'].map((name) => new Author(name))
  const [a, b, c] = all as [Author, Author, Author]
  race(all, [a, b], 0)
  tell(all, a.write(2), 2)
  race(all, [b, c], 4)
  tell(all, b.write(6, 'renewed'), 6)
  tell(all, b.write(8, 'renewed again'), 8)
  expect(all.map(({ holder }) => holder)).toEqual(['B', 'B', 'B'])
})

test('a key that its holder releases is free, also when the loser of the race had a later second', () => {
  const all = ['A', 'B', 'C'].map((name) => new Author(name))
  const [a, b, c] = all as [Author, Author, Author]
  for (const seconds of [0, 10, 20, 30]) {
    race(all, [a, b, c], seconds)
    const ahead = b.replica.compose(
      key,
      { kind: 'set', value: encodeValue('ahead') },
      { owner: b.owner, utcSeconds: hour + seconds + 9 },
    )
    tell(all, { ...ahead, owner: textToByteText('D') }, seconds)
    tell(all, a.write(seconds), seconds)
    expect(all.map(({ holder }) => holder)).toEqual(['free', 'free', 'free'])
  }
})

test('a release that overtakes the writes before it does not give the key to a loser', () => {
  const a = new Author('A')
  const [b, other] = [new Author('B'), new Author('other')]
  const [taken, refused] = [a.write(0, 'a'), b.write(0, 'b')]
  const released = a.write(1)
  for (const write of [released, refused, taken]) other.hear(write, 1)
  expect(other.holder).toBe('free')
  other.hear(a.write(2, 'again'), 2)
  expect(other.holder).toBe('A')
})

test.each([
  [3, 2],
  [40, 20],
])('a lock that %i nodes pass on, %i of them at once, does not grow', (count, racing) => {
  const random = new Random(count)
  const all = Array.from({ length: count }, (_, i) => new Author(`node ${String(i).padStart(2)}`))
  // All hear all, so one replica stands for the memory of every one of them.
  const [memory] = all as [Author]
  for (let seconds = 0; seconds < 600; seconds += 20) {
    const racers = [...all].sort(() => random.unit() - 0.5).slice(0, racing)
    const value = encodeValue(seconds)
    const writes = racers.map(({ owner }) =>
      memory.replica.compose(key, { kind: 'set', value }, { owner, utcSeconds: hour + seconds }),
    )
    const [first] = [...writes].sort((a, b) => compareWrites(a, b, true))
    for (const write of writes) memory.hear(write, seconds)
    expect([seconds, memory.holder]).toEqual([seconds, first!.owner])
    const by = { owner: first!.owner, utcSeconds: hour + seconds + 5 }
    for (const kind of ['set', 'delete'] as const) {
      const bytes = kind === 'set' ? value : new Uint8Array(0)
      memory.hear(memory.replica.compose(key, { kind, value: bytes }, by), seconds + 5)
    }
    expect([seconds, memory.holder]).toEqual([seconds, 'free'])
    memory.replica.sweep(hour + seconds)
    expect(memory.replica.log(key)!.writes.length).toBeLessThan(racing === 2 ? 8 : 200)
  }
})

test('what nodes hold that hear each other is what all writes that ever were amount to', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed)
    const all = ['A', 'B', 'C', 'D'].map((name) => new Author(name))
    const written: Write[] = []
    for (let seconds = 0; seconds < 6_000; seconds += 1 + random.below(400)) {
      const free = (author: Author): boolean => {
        const holder = author.replica.holder(key)
        const lease = currentLease(holder, rule, hour + seconds)
        return lease === undefined || holder!.owner === author.owner
      }
      const able = all.filter(free)
      const writes = able
        .filter(() => random.chance(0.6))
        .map((author) =>
          author.holder === author.owner && random.chance(0.4)
            ? author.write(seconds)
            : author.write(seconds, random.below(1_000)),
        )
      for (const author of all) for (const write of writes) author.hear(write, seconds)
      written.push(...writes)
      written.sort((a, b) => compareWrites(a, b, true))
      const { holder, value } = replay(written, rule)
      for (const author of all) {
        expect([seed, seconds, author.replica.value(key)]).toEqual([seed, seconds, value])
        expect([seed, seconds, author.replica.holder(key)?.owner]).toEqual([
          seed,
          seconds,
          holder?.owner,
        ])
      }
    }
  }
})

test('what nodes write that hear little of each other comes to the same in any order', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed)
    const all = ['A', 'B', 'C'].map((name) => new Author(name))
    const written: Write[] = []
    for (let seconds = 0; seconds < 3_000; seconds += random.below(300)) {
      const author = random.pick(all)
      const lease = currentLease(author.replica.holder(key), rule, hour + seconds)
      if (lease !== undefined && lease.owner !== author.owner) continue
      written.push(random.chance(0.4) ? author.write(seconds) : author.write(seconds, seconds))
      for (const other of all) {
        for (const write of written) if (random.chance(0.5)) other.hear(write, seconds)
      }
    }
    const logs = [0, 1, 2].map(() => {
      const reader = new Author('reader')
      for (const write of [...written].sort(() => random.unit() - 0.5)) reader.hear(write, 3_000)
      return { log: reader.replica.log(key), value: reader.replica.value(key) }
    })
    expect([seed, logs[1]]).toEqual([seed, logs[0]])
    expect([seed, logs[2]]).toEqual([seed, logs[0]])
  }
})

test('a tenure that its author says to have begun after its write, or in a later life, begins with the write', () => {
  const a = new Author('A')
  const first = a.write(0, 'first')
  const mark = { owner: a.owner, time: hour + 50, sequence: 0 }
  const lie: Write = {
    ...first,
    kind: 'delete',
    value: new Uint8Array(0),
    time: hour + 1,
    knew: [mark],
  }
  const b = new Author('B')
  for (const write of [first, lie]) b.hear(write, 2)
  expect(b.holder).toBe('free')
})
