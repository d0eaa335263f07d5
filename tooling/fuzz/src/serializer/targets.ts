/** The decoders of @p2p/serializer. Each takes anything and answers with a value or a DecodeError. */
import { deflateSync, gzipSync, inflateRawSync } from 'node:zlib'
import {
  bytesEqual,
  compressionMethods,
  concatBytes,
  createMessage,
  DecodeError,
  decodeFrame,
  decodeValue,
  encodeFrame,
  encodeValue,
  Float,
  FrameSplitter,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { archiveInflaters } from '@p2p/serializer/archive'
import { decodeLegacyFrame, encodeLegacyFrame } from '@p2p/serializer/legacy'
import { mutate } from '../mutate.ts'
import { bz2Blocks, lzmaBlocks } from './archive-blocks.ts'
import { pageZlib } from './page-zlib.ts'
import type { Random } from '../random.ts'
import type { Target } from '../target.ts'

const methods = [compressionMethods.zlib, compressionMethods.gzip, compressionMethods.snappy]
const versions = ['0.2', '0.3', '0.4', '0.5'] as const

/** Runs what may refuse its input; true when it did not. */
function accepts(action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (error instanceof DecodeError) return false
    throw error
  }
}

function value(random: Random, depth = 0): Value {
  switch (random.below(depth > 3 ? 8 : 11)) {
    case 0:
      return random.pick([null, true, false])
    case 1:
      return random.below(300) - 150
    case 2:
      return random.below(2 ** 32) * random.pick([1, -1, 1000])
    case 3:
      return BigInt(random.below(2 ** 32)) << 31n
    case 4:
      return random.below(1000) / 7
    case 5:
      return new Float(random.below(100))
    case 6:
      return random.pick(['', 'key', 'wörld', '日本', '😀', 'x'.repeat(random.below(300))])
    case 7:
      return random.bytes(random.below(40))
    case 8:
      return new Map<Value, Value>(
        Array.from({ length: random.below(4) }, (_, i) => [i, value(random, depth + 1)]),
      )
    case 9:
      return Object.fromEntries(
        Array.from({ length: random.below(5) }, (_, i) => [`k${i}`, value(random, depth + 1)]),
      )
    default:
      return Array.from({ length: random.below(20) }, () => value(random, depth + 1))
  }
}

function frame(random: Random, method: number | undefined): Uint8Array {
  const payload = [random.below(20), value(random), 'z'.repeat(random.below(600))]
  const time = 1_500_000_000 + random.below(1000)
  return encodeFrame(createMessage({ type: random.below(3), sender: 'me', time, payload }), {
    method,
  })
}

/** The length in front set right again, so that what stands behind it is looked at. */
function withLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 4) new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length - 4)
  return bytes
}

const msgpack: Target = {
  name: 'msgpack',
  input(random) {
    return random.chance(10)
      ? random.bytes(random.below(200))
      : mutate(encodeValue(value(random)), random)
  },
  run(input) {
    let decoded: Value = null
    if (!accepts(() => (decoded = decodeValue(input)))) return
    const once = encodeValue(decoded)
    if (!bytesEqual(encodeValue(decodeValue(once)), once)) throw new Error('does not come back')
  },
}

const splitter: Target = {
  name: 'splitter',
  input(random) {
    const frames = Array.from({ length: 1 + random.below(4) }, () => frame(random, undefined))
    const stream = concatBytes(...frames)
    return random.chance(2) ? stream : mutate(stream, random)
  },
  run(input) {
    const limits = { maxFrameBytes: 100_000 }
    const whole = new FrameSplitter({ limits })
    const inPieces = new FrameSplitter({ limits })
    const expected: Uint8Array[] = []
    const got: Uint8Array[] = []
    const one = accepts(() => expected.push(...whole.push(input)) && whole.push(new Uint8Array(0)))
    const other = accepts(() => {
      for (
        let start = 0, step = 1;
        start < input.length;
        start += step, step = (step * 7) % 61 || 1
      ) {
        got.push(...inPieces.push(input.slice(start, start + step)))
      }
      inPieces.push(new Uint8Array(0))
    })
    const same =
      expected.length === got.length && expected.every((f, i) => bytesEqual(f, got[i] ?? f))
    if (one !== other || !same) throw new Error('chunking changes what is split')
    for (const part of got) accepts(() => decodeFrame(part))
  },
}

const inflate: Target = {
  name: 'inflate',
  input(random) {
    const good = frame(random, random.pick(methods))
    return random.chance(10) ? good : withLength(mutate(good, random).slice())
  },
  run(input) {
    accepts(() => decodeFrame(input))
  },
}

/** As `inflate`, with what a page loads. What it takes of zlib, Node takes for the same. */
const inflateInPage: Target = {
  name: 'inflate-page',
  input(random) {
    const length = random.below(2_000)
    const plain = random.chance(2) ? random.bytes(length) : Buffer.alloc(length, 'abcab')
    const level = random.below(10)
    const block = random.chance(2) ? deflateSync(plain, { level }) : gzipSync(plain, { level })
    return mutate(new Uint8Array(block), random)
  },
  run(input) {
    const maxBytes = 1_000_000
    const isGzip = input[0] === 0x1f
    const result = pageZlib[isGzip ? 'inflateGzip' : 'inflateZlib'](input, maxBytes)
    if (result.type !== 'inflated') return
    if (result.bytes.length > maxBytes) throw new Error('too much')
    // Headers and what follows the sums are judged elsewhere, and by Node in its own way.
    const expected = isGzip ? result.bytes : inflateRawSync(input.subarray(2))
    if (!bytesEqual(result.bytes, expected)) throw new Error('zlib reads something else')
  },
}

/** One of the methods that only archives are read with; whatever comes out keeps the limit. */
function archive(name: string, blocks: readonly Uint8Array[], method: number): Target {
  const maxBytes = 1_000_000
  return {
    name,
    input: (random) => mutate(random.pick(blocks), random),
    run(input) {
      const inflater = archiveInflaters.find((one) => one.method === method)
      const result = inflater?.inflate(input, maxBytes)
      if (result === undefined) throw new Error('no inflater')
      if (result.type === 'inflated' && result.bytes.length > maxBytes) throw new Error('too much')
    },
  }
}

const legacy: Target = {
  name: 'legacy',
  input(random) {
    const version = random.pick(versions)
    const payload = Array.from({ length: random.below(8) }, () => random.bytes(random.below(60)))
    const fields = { version, type: 'w', sender: 'me', time: random.below(2 ** 32), payload }
    const good = encodeLegacyFrame(fields, { method: random.pick([undefined, ...methods]) })
    return random.chance(10) ? good : withLength(mutate(good, random).slice())
  },
  run(input) {
    for (const version of versions) accepts(() => decodeLegacyFrame(input, { version }))
  },
}

export const serializerTargets: readonly Target[] = [
  msgpack,
  splitter,
  inflate,
  inflateInPage,
  archive('bz2', bz2Blocks, compressionMethods.bz2),
  archive('lzma', lzmaBlocks, compressionMethods.lzma),
  legacy,
]
