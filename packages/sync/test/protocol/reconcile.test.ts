import { encodeFrame, createMessage, encodeValue } from '@p2p/serializer'
import { describe, expect, test } from '@jest/globals'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import type { ByteText } from '../../src/protocol/byte-text.ts'
import { compareItems, ItemIndex } from '../../src/protocol/item-index.ts'
import { leaseSeconds } from '../../src/protocol/lease.ts'
import type { Fingerprint } from '../../src/protocol/ranges.ts'
import { Comparison } from '../../src/protocol/reconcile.ts'
import { Replica } from '../../src/protocol/replica.ts'
import { defaultReplicaLimits } from '../../src/protocol/replica-limits.ts'
import { decodeTurn, encodeTurn } from '../../src/protocol/turn.ts'
import type { Turn } from '../../src/protocol/turn.ts'
import type { Seen, Write } from '../../src/protocol/write.ts'
import { Random } from '../random.ts'

const now = 1_500_000_000
const owner = 'A'.repeat(65)

function write(value: number, by = owner): Write {
  return {
    kind: 'set',
    owner: textToByteText(by),
    time: now,
    sequence: 0,
    value: encodeValue(value),
    knew: [],
  }
}

class Side {
  readonly replica = new Replica({ leasing: true, leaseSeconds }, defaultReplicaLimits)
  readonly index = new ItemIndex(this.replica)
  comparison: Comparison | undefined

  set(key: string, one: Write): void {
    this.replica.merge(textToByteText(key), one, 'live', now)
  }

  open(random: Random): Turn {
    this.comparison = new Comparison(1, randomKey(random), this.index)
    return this.comparison.open()
  }

  answer(turn: Turn): Turn | undefined {
    this.comparison ??= new Comparison(1, turn.key!, this.index)
    const { turn: reply, records } = this.comparison.answer(turn)
    for (const { key, isBase, write: one } of records ?? []) {
      this.replica.merge(key, one, isBase ? 'base' : 'record', now)
    }
    return reply
  }

  content(): ReadonlyMap<ByteText, string> {
    return new Map(
      [...this.replica.keys()].map((key) => [key, this.replica.state(key).value!.join()] as const),
    )
  }
}

function randomKey(random: Random): [number, number, number, number] {
  const word = (): number => random.below(0x1_0000_0000)
  return [word(), word(), word(), word()]
}

/** Runs one comparison over real frames; returns what it cost. */
function compare(a: Side, b: Side, seed = 1): { messages: number; bytes: number } {
  a.comparison = b.comparison = undefined
  let turn: Turn | undefined = a.open(new Random(seed))
  let [messages, bytes] = [0, 0]
  let to = b
  while (turn !== undefined) {
    const payload = [0x7041, ...encodeTurn(turn)]
    bytes += encodeFrame(createMessage({ type: 2, sender: owner, time: now, payload })).length
    messages++
    turn = to.answer(decodeTurn(payload.slice(1))!)
    to = to === a ? b : a
  }
  return { messages, bytes }
}

function twoSides(count: number, differences: number): [Side, Side] {
  const [a, b] = [new Side(), new Side()]
  for (let i = 0; i < count; i++) {
    const one = write(i)
    if (i >= differences || i % 2 === 0) a.set(`key ${i}`, one)
    if (i >= differences || i % 2 === 1) b.set(`key ${i}`, one)
  }
  return [a, b]
}

test('equal replicas of 100,000 keys find out in two messages of less than 1 KiB in all', () => {
  const [a, b] = twoSides(100_000, 0)
  const { messages, bytes } = compare(a, b)
  expect(messages).toBe(2)
  expect(bytes).toBeLessThanOrEqual(1_024)
  if (process.env['SHOW'] !== undefined) process.stderr.write(`equal: ${bytes} bytes\n`)
})

test('two copies of one write that differ in what their author knew become one', () => {
  const seen = (name: string): Seen => ({ owner: textToByteText(name), time: now, sequence: 0 })
  const others = write(1, 'B'.repeat(65))
  const copies = [undefined, [seen('B'.repeat(12))], [seen('C'.repeat(12))]].map((knew): Write => ({
    ...write(0),
    kind: 'delete',
    value: new Uint8Array(0),
    time: now + 1,
    knew,
  }))
  for (const one of copies) {
    for (const two of copies) {
      const [a, b] = [new Side(), new Side()]
      for (const known of [others, one]) a.set('key', known)
      for (const known of [others, two]) b.set('key', known)
      compare(a, b)
      compare(a, b)
      const key = textToByteText('key')
      expect(a.replica.log(key)).toEqual(b.replica.log(key))
    }
  }
})

test('100 differences in 100,000 keys are settled in 3 round trips and 128 KiB', () => {
  const [a, b] = twoSides(100_000, 100)
  const { messages, bytes } = compare(a, b)
  expect(a.content()).toEqual(b.content())
  expect(a.replica.size).toBe(100_000)
  expect(messages).toBeLessThanOrEqual(6)
  expect(bytes).toBeLessThanOrEqual(128 * 1_024)
  if (process.env['SHOW'] !== undefined)
    process.stderr.write(`${messages} messages, ${bytes} bytes\n`)
})

test.each([
  [0, 0],
  [1, 0],
  [1, 1],
  [2, 2],
  [300, 300],
  [5_000, 1],
  [5_000, 4_999],
])(
  'any two replicas are equal afterwards: %i keys, %i of them on one side only',
  (count, differences) => {
    const [a, b] = twoSides(count, differences)
    compare(a, b)
    expect([...a.content()].sort()).toEqual([...b.content()].sort())
    expect(a.replica.size).toBe(count)
    expect(compare(a, b, 2).messages).toBe(2)
  },
)

test('an empty node gets everything, in turns of bounded size', () => {
  const [full, empty] = [new Side(), new Side()]
  for (let i = 0; i < 40; i++) {
    full.set(`key ${i}`, { ...write(0), value: encodeValue(new Uint8Array(40_000).fill(i)) })
  }
  const { messages } = compare(empty, full)
  expect(empty.content()).toEqual(full.content())
  expect(messages).toBeGreaterThan(8)
})

test('changed, deleted and conflicting keys are exchanged like new ones', () => {
  const [a, b] = twoSides(1_000, 0)
  a.set('key 1', { ...write(-1), time: now + 5 })
  b.set('key 2', { ...write(0), kind: 'delete', value: new Uint8Array(0), time: now + 5 })
  a.set('new', write(1, 'A'))
  b.set('new', write(2, 'B'))
  compare(a, b)
  expect(a.content()).toEqual(b.content())
  expect(a.replica.state(textToByteText('key 2')).value).toBeUndefined()
  expect(b.replica.state(textToByteText('new')).value).toEqual(encodeValue(1))
})

test('bytes that are no turn are refused, and any turn is survived', () => {
  const random = new Random(7)
  const [a] = twoSides(1_000, 0)
  for (let i = 0; i < 500; i++) {
    const bytes = (): Uint8Array => random.bytes(random.below(60))
    const turn = decodeTurn([
      i,
      random.bytes(16),
      bytes(),
      bytes(),
      random.bytes(8),
      bytes(),
      false,
    ])
    if (turn === undefined) continue
    a.comparison = undefined
    a.answer(turn)
  }
  expect(a.replica.size).toBe(1_000)
  for (const broken of [
    [],
    [1],
    [1, null, 1, 1, 1, 1, 1],
    [null, null, null, null, null, null, true],
  ]) {
    expect(decodeTurn(broken)).toBeUndefined()
  }
})

describe('a turn of somebody hostile', () => {
  const nothing: Turn = {
    comparison: 1,
    key: [1, 2, 3, 4],
    compare: [],
    list: [],
    want: [],
    records: new Uint8Array(0),
    more: false,
  }
  const ids = (number: number): Fingerprint[] => [{ a: number, b: 1 }]
  const parts = Array.from({ length: 16 }, () => ({ a: 1, b: 1 }))

  test('gets no answer to ranges that it names again', () => {
    const [side] = twoSides(1_000, 0)
    const again = Array.from({ length: 100 }, (_, number) => number)
    const list = again.map((number) => ({ prefix: [], ids: ids(number) }))
    expect(side.answer({ ...nothing, list })?.want).toEqual(ids(0))
    // Nor in a later turn of the comparison: each look at all items is work that nobody needs.
    expect(side.answer({ ...nothing, list: list.slice(1) })?.want).toEqual([])
    const compare = again.map((number) => ({ prefix: [number & 15], ids: parts }))
    const reply = side.answer({ ...nothing, compare })
    expect(reply?.list.length).toBe(16 * 16)
  })

  test('gets an answer of as many ranges as it may name itself', () => {
    const [side] = twoSides(1_000, 0)
    const compare = Array.from({ length: 4_096 }, (_, number) => ({
      prefix: [number >> 8, (number >> 4) & 15, number & 15],
      ids: parts,
    }))
    const reply = side.answer({ ...nothing, compare })
    expect(reply?.list.length).toBe(4_096)
  })
})

test('the items of a replica follow its keys as they change and go, and its digest with them', () => {
  const side = new Side()
  const empty = side.index.digest()
  expect(side.index.snapshot()).toEqual([])
  side.set('one', write(1))
  side.set('two', write(2))
  const [one, two] = [...side.index.snapshot()]
  expect(one !== undefined && two !== undefined && compareItems(one, two) < 0).toBe(true)
  expect(side.index.snapshot()).toBe(side.index.snapshot())
  side.set('long', { ...write(3), value: encodeValue('x'.repeat(5_000)) })
  expect(side.index.snapshot()).toHaveLength(3)
  const full = side.index.digest()
  const other = new Side()
  other.set('long', { ...write(3), value: encodeValue('x'.repeat(5_000)) })
  other.set('two', write(2))
  other.set('one', write(1))
  expect(other.index.digest()).toEqual(full)
  const gone: Write = { ...write(0), kind: 'delete', value: new Uint8Array(0), sequence: 1 }
  for (const key of ['one', 'two', 'long']) side.set(key, gone)
  expect(side.index.digest()).toEqual(empty)
  expect(side.index.snapshot()).not.toEqual([])
  side.replica.sweep(now + 1_000 * 86_400)
  expect([side.index.snapshot(), side.index.keyCount]).toEqual([[], 0])
  expect(side.index.digest()).toEqual(empty)
})

test('a value made of several writes is an item as if it had been set at once', () => {
  const [side, other] = [new Side(), new Side()]
  const mapping = (fields: { readonly [name: string]: number }): Uint8Array => encodeValue(fields)
  side.set('map', { ...write(0), value: mapping({ a: 1 }) })
  side.set('map', { ...write(0), kind: 'delta', value: mapping({ b: 2 }), sequence: 1 })
  other.set('map', { ...write(0), value: mapping({ a: 1, b: 2 }), sequence: 1 })
  expect(side.index.digest()).toEqual(other.index.digest())
})
