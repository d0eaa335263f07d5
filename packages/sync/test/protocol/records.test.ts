/** Blocks of writes: every write survives, and no bytes do harm. */
import { encodeTail } from '@p2p/mesh'
import { createMessage, encodeValue, flags, utf8Encode } from '@p2p/serializer'
import { expect, test } from '@jest/globals'
import { bytesToByteText, textToByteText } from '../../src/protocol/byte-text.ts'
import { readWrite } from '../../src/protocol/messages.ts'
import { decodeRecords, encodeRecords, maxBlockRecords } from '../../src/protocol/records.ts'
import type { WriteRecord } from '../../src/protocol/records.ts'
import type { Seen, Write } from '../../src/protocol/write.ts'
import { Random } from '../random.ts'

const implied = { owner: textToByteText('the sender'), time: 1_500_000_000 }

function randomSeen(random: Random): readonly Seen[] {
  return Array.from({ length: random.below(9) }, () => ({
    owner: randomBytesText(random, 12),
    time: implied.time + random.below(10),
    sequence: random.below(300),
  }))
}

function randomBytesText(random: Random, most: number): ReturnType<typeof bytesToByteText> {
  return bytesToByteText(
    Uint8Array.from({ length: random.below(most + 1) }, () => random.below(256)),
  )
}

function randomRecord(random: Random): WriteRecord {
  const kind = random.pick(['set', 'delete', 'delta'] as const)
  const values = [
    1,
    'text',
    'ünïcode',
    'long '.repeat(100),
    [1, { a: null }],
    { field: 2.5 },
    false,
  ]
  const value =
    kind === 'delete'
      ? new Uint8Array(0)
      : encodeValue(kind === 'delta' ? { field: random.below(1e9) } : random.pick(values))
  const knew = random.chance(0.3) ? undefined : randomSeen(random)
  const write: Write = {
    kind,
    owner: random.chance(0.5) ? implied.owner : randomBytesText(random, 70),
    time: random.chance(0.5) ? implied.time : random.below(2 ** 40),
    sequence: random.chance(0.5) ? 0 : random.below(2 ** 33),
    value,
    knew,
  }
  const key = randomBytesText(random, random.chance(0.1) ? 300 : 20)
  const isBase = random.chance(0.2)
  return { key, isBase, write: isBase ? { ...write, holds: randomSeen(random) } : write }
}

test('whatever is written comes back, with and without what the reader knows already', () => {
  const random = new Random(1)
  for (let round = 0; round < 300; round++) {
    const records = Array.from({ length: random.below(30) }, () => randomRecord(random))
    expect(decodeRecords(encodeRecords(records))).toEqual(records)
    expect(decodeRecords(encodeRecords(records, implied), implied)).toEqual(records)
  }
})

test('a block that is cut anywhere is refused or ends at a record, and changed bytes do no harm', () => {
  const random = new Random(2)
  const records = Array.from({ length: 20 }, () => randomRecord(random))
  const block = encodeRecords(records, implied)
  let refused = 0
  for (let end = 0; end < block.length; end++) {
    const read = decodeRecords(block.subarray(0, end), implied)
    if (read === undefined) refused++
    else expect(read).toEqual(records.slice(0, read.length))
  }
  expect(refused).toBeGreaterThan(block.length - records.length - 2)
  for (let i = 0; i < 5_000; i++) {
    const changed = block.slice()
    changed[random.below(block.length)] = random.below(256)
    decodeRecords(changed, implied)
  }
})

test('a value that nobody could read later, or a null, is refused where it stands', () => {
  const record = (value: Uint8Array): WriteRecord => ({
    key: textToByteText('key'),
    isBase: false,
    write: { kind: 'set', ...implied, sequence: 0, value, knew: [] },
  })
  const broken = [
    Uint8Array.of(),
    Uint8Array.of(0xc0),
    Uint8Array.of(0xa2, 0x61),
    Uint8Array.of(0xa1, 0xff),
    Uint8Array.of(0xa1, 0x61, 0x61),
    Uint8Array.of(0xd9, 0x02, 0x61),
    Uint8Array.of(0xc1),
  ]
  for (const value of broken) expect(decodeRecords(encodeRecords([record(value)]))).toBeUndefined()
  expect(decodeRecords(encodeRecords([record(Uint8Array.of(0xa1, 0x61))]))).toHaveLength(1)
})

test('what a message brought can be written, also when it lies about what its author knew', () => {
  const owner = utf8Encode('another')
  for (const seen of [
    [owner, -5, 0],
    [owner, 5, -1],
    [owner, 2 ** 53 - 1, 2 ** 53 - 1],
  ] as const) {
    const read = readWrite(
      createMessage({
        type: flags.broadcast,
        sender: utf8Encode('sender'),
        time: implied.time,
        payload: [flags.store, utf8Encode('key'), 'value'],
        tail: encodeTail(new Map([[0x10, encodeValue([0, seen])]])),
      }),
    )
    if (typeof read === 'string') throw new Error(read)
    const records = [{ key: read.key, isBase: false, write: read.write }]
    expect(decodeRecords(encodeRecords(records))).toEqual(records)
  }
})

test('a block of more records than a reader takes is refused', () => {
  const write: Write = {
    kind: 'delete',
    ...implied,
    sequence: 0,
    value: new Uint8Array(0),
    knew: [],
  }
  const record = { key: textToByteText('k'), isBase: false, write }
  const most = Array.from({ length: maxBlockRecords }, () => record)
  expect(decodeRecords(encodeRecords(most, implied), implied)).toHaveLength(maxBlockRecords)
  expect(decodeRecords(encodeRecords([...most, record], implied), implied)).toBeUndefined()
})
