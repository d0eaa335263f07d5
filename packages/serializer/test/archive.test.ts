import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  compressionMethods,
  concatBytes,
  DecodeError,
  decodeFrame,
  encodeFrame,
  fromHex,
  offeredMethods,
  openFrame,
  sha256,
  toHex,
  utf8Encode,
} from '@p2p/serializer'
import type { Inflater } from '@p2p/serializer'
import { archiveInflaters } from '@p2p/serializer/archive'

interface Vectors {
  readonly frames: readonly { name: string; frame: string; id: string }[]
  readonly blocks: readonly {
    name: string
    method: 'bz2' | 'lzma'
    block: string
    length: number
    sha256: string
  }[]
}
const vectors = JSON.parse(
  readFileSync(new URL('vectors/archive.json', import.meta.url), 'utf8'),
) as Vectors

const mebibyte = 2 ** 20
const inflaterOf = (name: 'bz2' | 'lzma'): Inflater => {
  const inflater = archiveInflaters.find(({ method }) => method === compressionMethods[name])
  if (inflater === undefined) throw new Error(name)
  return inflater
}
const blockOf = (name: string): Uint8Array =>
  fromHex(vectors.blocks.find((one) => one.name === name)?.block ?? '')
const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof DecodeError) return error.code
    throw error
  }
  return 'no error'
}

test.each(vectors.frames)('the frame py2p wrote is read: $name', ({ frame, id }) => {
  const opened = openFrame(fromHex(frame), { inflaters: archiveInflaters })
  expect(toHex(opened.id)).toBe(id)
  expect(codeOf(() => decodeFrame(fromHex(frame)))).toBe('P2P_CHECKSUM_MISMATCH')
})

test.each(vectors.blocks)('$name is read, up to its length and not beyond', (vector) => {
  const inflater = inflaterOf(vector.method)
  const block = fromHex(vector.block)
  expect(inflater.mayRead(block)).toBe(true)
  const result = inflater.inflate(block, vector.length)
  if (result.type !== 'inflated') throw new Error(result.type)
  expect(result.bytes).toHaveLength(vector.length)
  expect(toHex(sha256(result.bytes))).toBe(vector.sha256)
  if (vector.length > 0) {
    expect(inflater.inflate(block, vector.length - 1)).toEqual({ type: 'too-large' })
  }
})

test.each(['text, bz2, level 9', 'text, xz', 'no pattern, xz', 'text, lzma container'])(
  '%s is refused when it is cut anywhere before its end mark',
  (name) => {
    const block = blockOf(name)
    const inflater = inflaterOf(name.includes('bz2') ? 'bz2' : 'lzma')
    for (let length = 6; length < block.length - 8; length++) {
      expect(inflater.inflate(block.subarray(0, length), mebibyte).type).not.toBe('inflated')
    }
  },
)

test('damaged blocks are refused or read, and nothing is thrown', () => {
  const sources = vectors.blocks.filter(({ block }) => block.length < 2_000)
  fc.assert(
    fc.property(
      fc.constantFrom(...sources),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      ({ method, block }, changes) => {
        const bytes = fromHex(block)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        const result = inflaterOf(method).inflate(bytes, 100_000)
        if (result.type === 'inflated') expect(result.bytes.length).toBeLessThanOrEqual(100_000)
      },
    ),
    { numRuns: 1_000 },
  )
})

test('arbitrary bytes behind a mark are refused with a DecodeError', () => {
  const mark = fc.constantFrom('425a683931415926535900000000', 'fd377a585a000004e6d6b446', '5d0000')
  fc.assert(
    fc.property(mark, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      const block = concatBytes(fromHex(start), rest)
      const frame = concatBytes(new Uint8Array(4), block)
      new DataView(frame.buffer).setUint32(0, block.length)
      expect(codeOf(() => decodeFrame(frame, { inflaters: archiveInflaters }))).toMatch(/^P2P_/)
    }),
    { numRuns: 1_000 },
  )
})

test('more resets of the state than a writer makes are refused', () => {
  const start = fromHex('fd377a585a000000000000000200210116000000742fe5a3')
  const oneZero = fromHex('e0000000055d000000000000')
  const inflate = (resets: number): unknown => {
    const chunks = [...Array.from({ length: resets }, () => oneZero), new Uint8Array(1)]
    const bytes = concatBytes(start, ...chunks)
    const padding = new Uint8Array(-bytes.length & 3)
    const end = fromHex('0001000000000000' + '00000000000000000000595a')
    return inflaterOf('lzma').inflate(concatBytes(bytes, padding, end), mebibyte)
  }
  expect(inflate(64)).toEqual({ type: 'inflated', bytes: new Uint8Array(64) })
  expect(inflate(200)).toEqual({ type: 'invalid' })
})

test('the ratio bounds archives too, and methods name those that are tried', () => {
  const block = blockOf('long run, bz2, level 9')
  const frame = concatBytes(new Uint8Array(4), block)
  new DataView(frame.buffer).setUint32(0, block.length)
  const inflaters = archiveInflaters
  expect(codeOf(() => openFrame(frame, { inflaters }))).toBe('P2P_INFLATED_TOO_LARGE')
  const limits = { maxInflationRatio: 10_000 }
  expect(codeOf(() => openFrame(frame, { inflaters, limits }))).toBe('P2P_CHECKSUM_MISMATCH')
  const methods = [compressionMethods.lzma]
  expect(codeOf(() => openFrame(frame, { inflaters, methods }))).toBe('P2P_CHECKSUM_MISMATCH')
})

test('bz2 and lzma are neither offered nor written', () => {
  for (const { method } of archiveInflaters) {
    expect(offeredMethods).not.toContain(method)
    const sealed = { body: new Uint8Array(2_000), id: sha256(new Uint8Array(2_000)) }
    expect(() => encodeFrame(sealed, { method })).toThrow(/not written/)
  }
})

test('the lzma container is read up to the length in its header, and refused when that is not there', () => {
  const name = 'text, lzma container'
  const length = vectors.blocks.find((one) => one.name === name)?.length ?? 0
  const withLength = (claimed: number): Uint8Array => {
    const block = blockOf(name)
    new DataView(block.buffer, block.byteOffset).setBigUint64(5, BigInt(claimed), true)
    return block
  }
  const inflate = (claimed: number): unknown =>
    inflaterOf('lzma').inflate(withLength(claimed), mebibyte)
  const whole = inflaterOf('lzma').inflate(blockOf(name), mebibyte)
  expect(length).toBeGreaterThan(0)
  expect(inflate(length)).toEqual(whole)
  expect(inflate(length + 1)).toEqual({ type: 'invalid' })
  expect(inflate(mebibyte + 1)).toEqual({ type: 'too-large' })
})

test('an xz stream with an unknown check or a block header too short for its fields is refused', () => {
  const sound = blockOf('one byte, xz')
  expect(inflaterOf('lzma').inflate(sound, mebibyte).type).toBe('inflated')
  // Byte 7 is the check, byte 12 the length of the block header in words, less one.
  for (const [at, byte] of [
    [6, 1],
    [7, 16],
    [12, 1],
  ] as const) {
    const block = sound.slice()
    block[at] = byte
    expect(inflaterOf('lzma').inflate(block, mebibyte)).toEqual({ type: 'invalid' })
  }
})

/** A bz2 stream of one block at level 1 (100,000 bytes), whose `alphabet` bytes count from 0. */
function bzip2Block(alphabet: number, ...symbols: readonly string[]): Uint8Array {
  const values = '1'.repeat(alphabet).padEnd(16, '0')
  const ranges = (alphabet === 0 ? '0' : '1') + '0'.repeat(15)
  // Codes of two bits for all symbols: first length, then no difference to any.
  const table = `00010${'0'.repeat(alphabet + 2)}`
  const selectors = 10
  const bits = [
    '0'.repeat(32 + 1 + 24),
    ranges,
    alphabet === 0 ? '' : values,
    '010' + selectors.toString(2).padStart(15, '0') + '0'.repeat(selectors),
    table.repeat(2),
    ...symbols,
    '0'.repeat(64),
  ].join('')
  const bytes = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
  return concatBytes(utf8Encode('BZh1'), fromHex('314159265359'), bytes)
}

test('a bz2 block that is longer than its level allows is refused, by what ends first', () => {
  const inflate = (maxBytes: number, ...symbols: readonly string[]): unknown =>
    inflaterOf('bz2').inflate(bzip2Block(2, ...symbols), maxBytes)
  const [one, two, other] = ['00', '01', '10']
  // Digits of a run count 1 or 2, 2 or 4, 4 or 8, …; these come to 100,000.
  const full: string[] = []
  for (let rest = 100_000; rest > 0; rest = Math.floor((rest - 1) / 2)) {
    full.push(rest % 2 === 1 ? one : two)
  }
  expect(inflate(mebibyte, ...full, two)).toEqual({ type: 'invalid' })
  expect(inflate(mebibyte, ...full, other)).toEqual({ type: 'invalid' })
  expect(inflate(10, ...full)).toEqual({ type: 'too-large' })
  expect(inflate(1, one, other, other, other, other)).toEqual({ type: 'too-large' })
})

test('a bz2 block in which no byte occurs is refused', () => {
  expect(inflaterOf('bz2').inflate(bzip2Block(0), mebibyte)).toEqual({ type: 'invalid' })
})
