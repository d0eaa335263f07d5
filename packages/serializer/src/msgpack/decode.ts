/**
 * msgpack reading: strict, bounded, and exact enough that a canonical input can be written again with
 * the same bytes.
 *
 * Every count is compared with the bytes that are left before memory is taken, nesting has a limit,
 * text must be UTF-8, keys must be unique (as Python compares them), extension types must be 0…127.
 * Any other width of an integer or length than the shortest is read too (spec/wire.md §2.1).
 */
import { DecodeError } from '../errors.ts'
import { defaultLimits, resolveLimits } from '../limits.ts'
import { utf8Decode } from '../text.ts'
import { Extension, Float, recordFrom } from '../value.ts'
import type { Value } from '../value.ts'
import { DuplicateKeys } from './duplicate-keys.ts'

export interface DecodeOptions {
  /** Arrays and maps inside each other; default 64, at most 512. */
  readonly maxDepth?: number
  /**
   * What a float64 with a whole value becomes: `exact` (default) a `Float`, so that encoding it again
   * gives the same bytes; `number` a plain number, which is what programs want to calculate with.
   */
  readonly floats?: 'exact' | 'number'
  /** Accept bytes behind the value; default false. */
  readonly allowTrailing?: boolean
}

/**
 * The value that the bytes stand for. Byte strings inside are views of `bytes`, not copies.
 *
 * @throws DecodeError `P2P_MSGPACK_…`
 */
export function decodeValue(bytes: Uint8Array, options: DecodeOptions = {}): Value {
  const decoder = new Decoder(bytes, options)
  const value = decoder.read()
  if (options.allowTrailing !== true && decoder.offset < bytes.length) {
    throw new DecodeError('P2P_MSGPACK_TRAILING', 'bytes behind the value', {
      offset: decoder.offset,
      got: bytes.length - decoder.offset,
    })
  }
  return value
}

/** Reads one value after the other from an array of bytes. */
export class Decoder {
  offset = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #maxDepth: number
  readonly #exactFloats: boolean
  #depth = 0

  constructor(bytes: Uint8Array, options: DecodeOptions = {}) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const { maxDepth = defaultLimits.maxDepth, floats = 'exact' } = options
    this.#maxDepth = resolveLimits({ maxDepth }).maxDepth
    this.#exactFloats = floats === 'exact'
  }

  /** Moves over `count` bytes and returns where they begin. */
  #take(count: number): number {
    const start = this.offset
    if (count > this.#bytes.length - start) {
      throw new DecodeError('P2P_MSGPACK_TRUNCATED', `${count} bytes expected, fewer are left`, {
        offset: start,
        expected: count,
        got: this.#bytes.length - start,
      })
    }
    this.offset = start + count
    return start
  }

  #length(width: 1 | 2 | 4): number {
    const at = this.#take(width)
    if (width === 1) return this.#view.getUint8(at)
    return width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  read(): Value {
    const tag = this.#bytes[this.#take(1)] ?? 0
    if (tag < 0x80) return tag
    if (tag >= 0xe0) return tag - 0x100
    if (tag < 0x90) return this.#readMap(tag & 0x0f)
    if (tag < 0xa0) return this.#readArray(tag & 0x0f)
    if (tag < 0xc0) return this.#readText(tag & 0x1f)
    switch (tag) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#readBytes(this.#length(1))
      case 0xc5:
        return this.#readBytes(this.#length(2))
      case 0xc6:
        return this.#readBytes(this.#length(4))
      case 0xd9:
        return this.#readText(this.#length(1))
      case 0xda:
        return this.#readText(this.#length(2))
      case 0xdb:
        return this.#readText(this.#length(4))
      case 0xdc:
        return this.#readArray(this.#length(2))
      case 0xdd:
        return this.#readArray(this.#length(4))
      case 0xde:
        return this.#readMap(this.#length(2))
      case 0xdf:
        return this.#readMap(this.#length(4))
      default:
        return this.#readRare(tag)
    }
  }

  #readRare(tag: number): Value {
    switch (tag) {
      case 0xca:
        return this.#float(this.#view.getFloat32(this.#take(4)))
      case 0xcb:
        return this.#float(this.#view.getFloat64(this.#take(8)))
      case 0xcc:
        return this.#view.getUint8(this.#take(1))
      case 0xcd:
        return this.#view.getUint16(this.#take(2))
      case 0xce:
        return this.#view.getUint32(this.#take(4))
      case 0xcf:
        return integer(this.#view.getBigUint64(this.#take(8)))
      case 0xd0:
        return this.#view.getInt8(this.#take(1))
      case 0xd1:
        return this.#view.getInt16(this.#take(2))
      case 0xd2:
        return this.#view.getInt32(this.#take(4))
      case 0xd3:
        return integer(this.#view.getBigInt64(this.#take(8)))
      case 0xc7:
        return this.#readExtension(this.#length(1))
      case 0xc8:
        return this.#readExtension(this.#length(2))
      case 0xc9:
        return this.#readExtension(this.#length(4))
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#readExtension(1 << (tag - 0xd4))
      default:
        throw new DecodeError('P2P_MSGPACK_INVALID', `0x${tag.toString(16)} starts no value`, {
          offset: this.offset - 1,
        })
    }
  }

  #float(value: number): Value {
    if (!this.#exactFloats || !Number.isSafeInteger(value) || Object.is(value, -0)) return value
    return new Float(value)
  }

  #readBytes(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #readText(length: number): string {
    const start = this.#take(length)
    const text = utf8Decode(this.#bytes.subarray(start, start + length))
    if (text === undefined) {
      throw new DecodeError('P2P_MSGPACK_TEXT', 'text is not UTF-8', { offset: start })
    }
    return text
  }

  #readExtension(length: number): Extension {
    const type = this.#view.getInt8(this.#take(1))
    if (type < 0) {
      throw new DecodeError('P2P_MSGPACK_EXTENSION', `extension type ${type} is reserved`, {
        offset: this.offset - 1,
      })
    }
    return new Extension(type, this.#readBytes(length))
  }

  #enter(count: number, bytesPerEntry: 1 | 2): void {
    if (count * bytesPerEntry > this.#bytes.length - this.offset) {
      throw new DecodeError('P2P_MSGPACK_TRUNCATED', `${count} entries announced, too few bytes`, {
        offset: this.offset,
        expected: count * bytesPerEntry,
        got: this.#bytes.length - this.offset,
      })
    }
    if (++this.#depth > this.#maxDepth) {
      throw new DecodeError('P2P_MSGPACK_TOO_DEEP', `nesting exceeds maxDepth ${this.#maxDepth}`, {
        offset: this.offset,
        limit: this.#maxDepth,
      })
    }
  }

  /** The number of elements of the array that begins here, which becomes the enclosing one. */
  readArrayHeader(): number {
    const tag = this.#bytes[this.#take(1)] ?? 0
    let count: number
    if (tag >= 0x90 && tag < 0xa0) count = tag & 0x0f
    else if (tag === 0xdc) count = this.#length(2)
    else if (tag === 0xdd) count = this.#length(4)
    else throw new DecodeError('P2P_MESSAGE_HEADER', 'a message is an array', { offset: 0 })
    this.#enter(count, 1)
    return count
  }

  #readArray(count: number): Value[] {
    this.#enter(count, 1)
    const values: Value[] = []
    for (let i = 0; i < count; i++) values.push(this.read())
    this.#depth--
    return values
  }

  #readMap(count: number): Value {
    this.#enter(count, 2)
    const entries: [Value, Value][] = []
    const seen = new DuplicateKeys()
    let allText = true
    for (let i = 0; i < count; i++) {
      const offset = this.offset
      const key = this.read()
      allText &&= typeof key === 'string'
      const verdict = seen.add(key)
      if (verdict === 'unusable') {
        throw new DecodeError('P2P_MSGPACK_KEY', 'a map is a key of a map', { offset })
      }
      if (verdict === 'duplicate') {
        throw new DecodeError('P2P_MSGPACK_DUPLICATE_KEY', 'a map holds a key twice', { offset })
      }
      entries.push([key, this.read()])
    }
    this.#depth--
    return allText ? recordFrom(entries as [string, Value][]) : new Map(entries)
  }
}

function integer(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
