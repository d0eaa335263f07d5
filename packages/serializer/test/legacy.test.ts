import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  compressionMethods,
  DecodeError,
  EncodeError,
  fromHex,
  toHex,
  utf8Encode,
} from '@p2p/serializer'
import {
  decodeLegacyFrame,
  encodeLegacyFrame,
  joinInTurn,
  joinWithTable,
  legacyFlags,
  splitInTurn,
  splitWithTable,
} from '@p2p/serializer/legacy'
import type { LegacyVersion } from '@p2p/serializer/legacy'

const versions = Object.keys(legacyFlags) as LegacyVersion[]
const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof DecodeError) return error.code
    throw error
  }
  return 'no error'
}
const sample = (version: LegacyVersion) => ({
  version,
  type: legacyFlags[version].main.broadcast,
  sender: 'sender',
  time: 1_500_000_000,
  payload: [legacyFlags[version].sub.broadcast, 'hello', 'wörld'],
})

// Recorded by running the old releases of py2p.
const id03 =
  '355957594b6e375335636568314d754d70474a32357a57524e423167355572715147316b566b547372356f796f566b4250325067735a75456d6b6b5a6a3946554274'
const id04 =
  '37786b794a626348374339756b77314e313956625a427946746e4a6663643138664c4d5178426e545362536834464e4c5674576d345a54743362416e50564c50776b'
const frames: Readonly<Record<string, string>> = {
  '0.3': `000000870000000900000006000000420000000600000009000000050000000662726f61646361737473656e646572${id03}334859746a7962726f61646361737468656c6c6f77c3b6726c64`,
  '0.4': `000000770000000100000006000000420000000600000001000000050000000600${'73656e646572'}${id04}334859746a790068656c6c6f77c3b6726c64`,
  '0.5': `0000007700000001000000000673656e64657200000042${id04}00000006334859746a7900000001000000000568656c6c6f0000000677c3b6726c64`,
}

test.each(Object.entries(frames))(
  'a message of %s is written and read as py2p did',
  (name, hex) => {
    const version = name as LegacyVersion
    expect(toHex(encodeLegacyFrame(sample(version)))).toBe(hex)
    const message = decodeLegacyFrame(fromHex(hex), { version })
    expect(message).toMatchObject({ version, time: 1_500_000_000, verified: true })
    expect(message.payload.map(toHex).slice(1)).toEqual(['68656c6c6f', '77c3b6726c64'])
  },
)

test.each(versions)('any packets survive %s, compressed or not', (version) => {
  const payload = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
  const method = fc.constantFrom(
    undefined,
    compressionMethods.zlib,
    compressionMethods.gzip,
    compressionMethods.snappy,
  )
  fc.assert(
    fc.property(payload, method, fc.nat(2 ** 31), (packets, chosen, time) => {
      const fields = { ...sample(version), payload: packets, time }
      const read = decodeLegacyFrame(encodeLegacyFrame(fields, { method: chosen }), { version })
      expect(read.payload.map(toHex)).toEqual(packets.map(toHex))
      expect(read).toMatchObject({ time, verified: true })
    }),
  )
})

test.each(versions)('a changed packet is noticed by %s, and refused from 0.4 on', (version) => {
  const frame = encodeLegacyFrame(sample(version))
  frame[frame.length - 1] = 0x21
  const refuses = version === '0.4' || version === '0.5'
  const code = codeOf(() => decodeLegacyFrame(frame, { version }))
  expect(code).toBe(refuses ? 'P2P_CHECKSUM_MISMATCH' : 'no error')
  if (!refuses) expect(decodeLegacyFrame(frame, { version }).verified).toBe(false)
})

test('arbitrary bytes are split or refused, and joined again to the same bytes', () => {
  const pairs = [
    [splitWithTable, joinWithTable],
    [splitInTurn, joinInTurn],
  ] as const
  const input = fc.array(fc.nat(3), { maxLength: 60 }).map((bytes) => new Uint8Array(bytes))
  fc.assert(
    fc.property(input, (block) => {
      for (const [split, join] of pairs) {
        const code = codeOf(() => {
          expect(toHex(join(split(block)))).toBe(toHex(block))
        })
        expect(code).toMatch(/^no error$|^P2P_LEGACY_INVALID$/)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a block of zeros is refused at 65,537 packets', () => {
  expect(splitWithTable(new Uint8Array(4 * 65_536))).toHaveLength(65_536)
  expect(codeOf(() => splitWithTable(new Uint8Array(4 * 65_537)))).toBe('P2P_LEGACY_INVALID')
  expect(codeOf(() => splitInTurn(new Uint8Array(4 * 65_537)))).toBe('P2P_LEGACY_INVALID')
})

test('a time that is no number of seconds is refused', () => {
  const parts = [utf8Encode('w'), utf8Encode('me'), utf8Encode('x')]
  for (const time of ['0', 'z'.repeat(3000)]) {
    const frame = framed(joinInTurn([...parts, utf8Encode(time)]))
    expect(codeOf(() => decodeLegacyFrame(frame, { version: '0.5' }))).toMatch(
      /^P2P_(LEGACY|BASE58)_INVALID$/,
    )
  }
  for (const time of [-1, 1.5, Number.NaN, 2 ** 53]) {
    expect(() => encodeLegacyFrame({ ...sample('0.5'), time })).toThrow(EncodeError)
  }
})

test.each([0, 1, 2, 3])('a message of %i packets is refused', (count) => {
  const packets = Array.from({ length: count }, () => utf8Encode('x'))
  for (const [version, join] of [
    ['0.5', joinInTurn],
    ['0.4', joinWithTable],
  ] as const) {
    const code = codeOf(() => decodeLegacyFrame(framed(join(packets)), { version }))
    expect(code).toBe('P2P_LEGACY_INVALID')
  }
})

function framed(block: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + block.length)
  new DataView(frame.buffer).setUint32(0, block.length)
  frame.set(block, 4)
  return frame
}
