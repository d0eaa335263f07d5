/**
 * Reads msgpack values one after the other from bytes that nobody vouches for.
 *
 * Checked before memory is taken: each length against the bytes that are left, each count against them
 * and against the number of values that a message may have, nesting against the depth limit (which also
 * bounds the recursion). Text must be UTF-8, keys must differ as Python compares them, extension types
 * must be 0…127.
 */
import { readUtf8 } from '#text'
import { DecodeError } from '../errors.ts'
import { sparedValues } from '../limits.ts'
import type { Limits } from '../limits.ts'
import { Extension, Float, keepOrder } from '../value.ts'
import type { Value } from '../value.ts'
import { DuplicateKeys } from './duplicate-keys.ts'
import { KeyCache } from './key-cache.ts'

const keyCache = new KeyCache()

export class Reader {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #limits: Limits
  readonly #exactFloats: boolean
  #view: DataView | undefined
  #at: number
  #depth = 0
  #values = 0

  constructor(bytes: Uint8Array, start: number, limits: Limits, exactFloats: boolean) {
    this.#bytes = bytes
    this.#at = start
    this.#end = bytes.length
    this.#limits = limits
    this.#exactFloats = exactFloats
  }

  /** Where the next value begins. */
  get offset(): number {
    return this.#at
  }

  value(): Value {
    if (this.#at >= this.#end) throw this.#truncated(1)
    const tag = this.#bytes[this.#at++] as number
    if (tag < 0x80) return tag
    if (tag >= 0xe0) return tag - 0x100
    if (tag < 0x90) return this.#map(tag & 0x0f)
    if (tag < 0xa0) return this.#array(tag & 0x0f)
    if (tag < 0xc0) return this.#text(tag & 0x1f)
    return tag < 0xca ? this.#below0xca(tag) : this.#from0xca(tag)
  }

  #below0xca(tag: number): Value {
    switch (tag) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#binary(this.#uint8())
      case 0xc5:
        return this.#binary(this.#uint16())
      case 0xc6:
        return this.#binary(this.#uint32())
      case 0xc7:
        return this.#extension(this.#uint8())
      case 0xc8:
        return this.#extension(this.#uint16())
      case 0xc9:
        return this.#extension(this.#uint32())
      default:
        throw new DecodeError('P2P_MSGPACK_INVALID', '0xc1 starts no value', {
          offset: this.#at - 1,
        })
    }
  }

  #from0xca(tag: number): Value {
    switch (tag) {
      case 0xca:
        return this.#float(this.#take(4), 4)
      case 0xcb:
        return this.#float(this.#take(8), 8)
      case 0xcc:
        return this.#uint8()
      case 0xcd:
        return this.#uint16()
      case 0xce:
        return this.#uint32()
      case 0xcf:
        return this.#integer64(this.#uint32(), this.#uint32())
      case 0xd0:
        return (this.#uint8() << 24) >> 24
      case 0xd1:
        return (this.#uint16() << 16) >> 16
      case 0xd2:
        return this.#uint32() | 0
      case 0xd3:
        return this.#integer64(this.#uint32() | 0, this.#uint32())
      case 0xd9:
        return this.#text(this.#uint8())
      case 0xda:
        return this.#text(this.#uint16())
      case 0xdb:
        return this.#text(this.#uint32())
      case 0xdc:
        return this.#array(this.#uint16())
      case 0xdd:
        return this.#array(this.#uint32())
      case 0xde:
        return this.#map(this.#uint16())
      case 0xdf:
        return this.#map(this.#uint32())
      default:
        return this.#extension(1 << (tag - 0xd4))
    }
  }

  /** Moves over `count` bytes; returns where they begin. */
  #take(count: number): number {
    const start = this.#at
    if (count > this.#end - start) throw this.#truncated(count)
    this.#at = start + count
    return start
  }

  #truncated(expected: number): DecodeError {
    const got = this.#end - this.#at
    return new DecodeError('P2P_MSGPACK_TRUNCATED', `${expected} bytes expected, ${got} are left`, {
      offset: this.#at,
      expected,
      got,
    })
  }

  #uint8(): number {
    return this.#bytes[this.#take(1)] as number
  }

  #uint16(): number {
    const at = this.#take(2)
    const bytes = this.#bytes
    return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  }

  #uint32(): number {
    const at = this.#take(4)
    const bytes = this.#bytes
    const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16)
    return (high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  }

  #integer64(high: number, low: number): number | bigint {
    const number = high * 0x1_0000_0000 + low
    if (Number.isSafeInteger(number)) return number
    return (BigInt(high) << 32n) | BigInt(low)
  }

  #float(at: number, width: 4 | 8): Value {
    const { buffer, byteOffset } = this.#bytes
    this.#view ??= new DataView(buffer, byteOffset)
    const value = width === 4 ? this.#view.getFloat32(at) : this.#view.getFloat64(at)
    if (!this.#exactFloats || !Number.isSafeInteger(value) || Object.is(value, -0)) return value
    return new Float(value)
  }

  #binary(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #text(length: number): string {
    const start = this.#take(length)
    const text = readUtf8(this.#bytes, start, start + length)
    if (text !== undefined) return text
    throw new DecodeError('P2P_MSGPACK_TEXT', 'text is not UTF-8', { offset: start })
  }

  #extension(length: number): Extension {
    const type = this.#uint8()
    if (type < 0x80) return new Extension(type, this.#binary(length))
    throw new DecodeError('P2P_MSGPACK_EXTENSION', `extension type ${type - 0x100} is reserved`, {
      offset: this.#at - 1,
    })
  }

  #enter(values: number): void {
    if (values > this.#end - this.#at) {
      const facts = { offset: this.#at, expected: values, got: this.#end - this.#at }
      throw new DecodeError(
        'P2P_MSGPACK_TRUNCATED',
        `${values} values announced, ${facts.got} bytes are left`,
        facts,
      )
    }
    this.#count(values)
    if (++this.#depth > this.#limits.maxDepth) {
      throw new DecodeError(
        'P2P_MSGPACK_TOO_DEEP',
        `nesting exceeds maxDepth ${this.#limits.maxDepth}`,
        { offset: this.#at, limit: this.#limits.maxDepth },
      )
    }
  }

  #count(values: number): void {
    if ((this.#values += values) > this.#limits.maxValues) {
      throw new DecodeError(
        'P2P_MSGPACK_TOO_MANY_VALUES',
        `message of ${this.#values} values exceeds maxValues ${this.#limits.maxValues}`,
        { offset: this.#at, limit: this.#limits.maxValues, got: this.#values },
      )
    }
  }

  /** Enters the message that begins here and returns the count of its array; undefined when here is no array. */
  messageHeader(): number | undefined {
    this.#depth = -1
    this.#values = -sparedValues
    const tag = this.#at < this.#end ? (this.#bytes[this.#at] as number) : 0
    let count: number
    if (tag >= 0x90 && tag < 0xa0) {
      this.#at++
      count = tag & 0x0f
    } else if (tag === 0xdc) {
      this.#at++
      count = this.#uint16()
    } else if (tag === 0xdd) {
      this.#at++
      count = this.#uint32()
    } else return undefined
    this.#enter(count)
    return count
  }

  /** Reads that many values. */
  values(count: number): Value[] {
    const values: Value[] = []
    for (let i = 0; i < count; i++) values.push(this.value())
    return values
  }

  #array(count: number): Value[] {
    this.#enter(count)
    const values = this.values(count)
    this.#depth--
    return values
  }

  #map(count: number): Value {
    this.#enter(2 * count)
    const record = Object.create(null) as { [key: string]: Value }
    const keys: string[] = []
    let mayMove = false
    for (let i = 0; i < count; i++) {
      const offset = this.#at
      const key = this.#key()
      if (typeof key !== 'string') return this.#mixedMap(record, keys, key, count)
      if (record[key] !== undefined) throw duplicateKey(offset)
      mayMove ||= startsWithDigit(key)
      keys.push(key)
      record[key] = this.value()
    }
    if (mayMove) keepOrder(record, keys)
    this.#depth--
    return record
  }

  /** Goes on with a map whose first keys were text, at the value of the first key that is not. */
  #mixedMap(
    record: { readonly [key: string]: Value },
    keys: readonly string[],
    firstOther: Value,
    count: number,
  ): ReadonlyMap<Value, Value> {
    const map = new Map<Value, Value>()
    const seen = new DuplicateKeys()
    for (const key of keys) {
      seen.add(key)
      map.set(key, record[key] as Value)
    }
    let key = firstOther
    let offset = this.#at
    for (;;) {
      const cost = seen.add(key)
      if (cost === undefined) {
        throw new DecodeError('P2P_MSGPACK_KEY', 'a map is (part of) a key', { offset })
      }
      if (cost < 0) throw duplicateKey(offset)
      this.#count(cost)
      map.set(key, this.value())
      if (map.size === count) break
      offset = this.#at
      key = this.value()
    }
    this.#depth--
    return map
  }

  /** A key; the same text as last time when it is a short one. */
  #key(): Value {
    const start = this.#at + 1
    const tag = this.#at < this.#end ? (this.#bytes[this.#at] as number) : 0
    if (tag < 0xa0 || tag >= 0xc0) return this.value()
    const end = start + (tag & 0x1f)
    if (end > this.#end) return this.value()
    const known = keyCache.find(this.#bytes, start, end)
    if (known !== undefined) {
      this.#at = end
      return known
    }
    this.#at = start
    const text = this.#text(tag & 0x1f)
    keyCache.remember(this.#bytes, start, end, text)
    return text
  }
}

function startsWithDigit(key: string): boolean {
  const unit = key.charCodeAt(0)
  return unit >= 0x30 && unit <= 0x39
}

function duplicateKey(offset: number): DecodeError {
  return new DecodeError('P2P_MSGPACK_DUPLICATE_KEY', 'a map holds a key twice', { offset })
}
