/**
 * msgpack writing, byte for byte as u-msgpack 2.3 (py2p) writes the same values: the shortest form of
 * every integer, text, byte string and container, float64 for every other number.
 *
 * Source: the msgpack specification; spec/wire.md §2.1 for what the originals choose.
 */
import { EncodeError } from '../errors.ts'
import { defaultLimits } from '../limits.ts'
import { isWellFormed, utf8Write } from '../text.ts'
import { Extension, Float, orderedKeys } from '../value.ts'
import type { Value } from '../value.ts'
import { DuplicateKeys } from './duplicate-keys.ts'

const firstScratchBytes = 4 * 1024

/** The value as msgpack. EncodeError for what this wire cannot carry; see the table in value.ts. */
export function encodeValue(value: Value): Uint8Array {
  return new Encoder().encode([value])
}

/** Writes values one after the other into one growing buffer. */
export class Encoder {
  #bytes = new Uint8Array(firstScratchBytes)
  #view = new DataView(this.#bytes.buffer)
  #end = 0
  #depth = 0

  encode(values: readonly Value[]): Uint8Array {
    for (const value of values) this.write(value)
    return this.#bytes.slice(0, this.#end)
  }

  #reserve(count: number): number {
    const start = this.#end
    this.#end = start + count
    if (this.#end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#end, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, start))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return start
  }

  #tag(tag: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = tag
  }

  #tag8(tag: number, value: number): void {
    const at = this.#reserve(2)
    this.#bytes[at] = tag
    this.#bytes[at + 1] = value
  }

  #tag16(tag: number, value: number): void {
    const at = this.#reserve(3)
    this.#bytes[at] = tag
    this.#view.setUint16(at + 1, value)
  }

  #tag32(tag: number, value: number): void {
    const at = this.#reserve(5)
    this.#bytes[at] = tag
    this.#view.setUint32(at + 1, value)
  }

  write(value: Value): void {
    switch (typeof value) {
      case 'number':
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.#writeInteger(value)
        else this.#writeFloat(value)
        return
      case 'string':
        this.#writeText(value)
        return
      case 'boolean':
        this.#tag(value ? 0xc3 : 0xc2)
        return
      case 'bigint':
        this.#writeBigInt(value)
        return
      case 'object':
        this.#writeObject(value)
        return
      default:
        throw new EncodeError('P2P_ENCODE_TYPE', `a ${typeof value} cannot be encoded`)
    }
  }

  #writeObject(value: Exclude<Value, number | string | boolean | bigint>): void {
    if (value === null) this.#tag(0xc0)
    else if (value instanceof Uint8Array) this.#writeBytes(value)
    else if (value instanceof Float) this.#writeFloat(value.value)
    else if (value instanceof Extension) this.#writeExtension(value)
    else {
      if (++this.#depth > defaultLimits.maxDepth) {
        throw new EncodeError('P2P_ENCODE_TOO_DEEP', 'value is nested too deeply or holds itself', {
          limit: defaultLimits.maxDepth,
        })
      }
      if (isArray(value)) this.#writeArray(value)
      else if (isMap(value)) this.#writeMap(value)
      else this.#writeRecord(value)
      this.#depth--
    }
  }

  #writeInteger(value: number): void {
    if (value >= 0) {
      if (value < 0x80) this.#tag(value)
      else if (value < 0x100) this.#tag8(0xcc, value)
      else if (value < 0x1_0000) this.#tag16(0xcd, value)
      else if (value < 0x1_0000_0000) this.#tag32(0xce, value)
      else this.#write64(0xcf, Math.floor(value / 0x1_0000_0000), value % 0x1_0000_0000)
    } else if (value >= -0x20) this.#tag(value & 0xff)
    else if (value >= -0x80) this.#tag8(0xd0, value & 0xff)
    else if (value >= -0x8000) this.#tag16(0xd1, value & 0xffff)
    else if (value >= -0x8000_0000) this.#tag32(0xd2, value)
    else {
      const high = Math.floor(value / 0x1_0000_0000)
      this.#write64(0xd3, high, value - high * 0x1_0000_0000)
    }
  }

  #write64(tag: number, high: number, low: number): void {
    const at = this.#reserve(9)
    this.#bytes[at] = tag
    this.#view.setUint32(at + 1, high)
    this.#view.setUint32(at + 5, low)
  }

  #writeBigInt(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.#writeInteger(Number(value))
      return
    }
    if (value > 0xffff_ffff_ffff_ffffn || value < -0x8000_0000_0000_0000n) {
      throw new EncodeError('P2P_ENCODE_RANGE', 'integer is outside -2^63 … 2^64-1')
    }
    const at = this.#reserve(9)
    this.#bytes[at] = value > 0n ? 0xcf : 0xd3
    this.#view.setBigUint64(at + 1, BigInt.asUintN(64, value))
  }

  #writeFloat(value: number): void {
    const at = this.#reserve(9)
    this.#bytes[at] = 0xcb
    this.#view.setFloat64(at + 1, value)
  }

  #writeText(text: string): void {
    if (!isWellFormed(text)) {
      throw new EncodeError('P2P_ENCODE_TEXT', 'text holds half a surrogate pair')
    }
    // A UTF-16 unit takes at most three bytes; the header is as wide as that could need, and the
    // text moves forward when fewer bytes were enough.
    const start = this.#reserve(5 + text.length * 3)
    const length = utf8Write(text, this.#bytes.subarray(start + 5))
    this.#end = start
    if (length < 0x20) this.#tag(0xa0 | length)
    else if (length < 0x100) this.#tag8(0xd9, length)
    else if (length < 0x1_0000) this.#tag16(0xda, length)
    else this.#tag32(0xdb, length)
    this.#bytes.copyWithin(this.#end, start + 5, start + 5 + length)
    this.#end += length
  }

  #writeBytes(bytes: Uint8Array): void {
    const length = bytes.length
    if (length < 0x100) this.#tag8(0xc4, length)
    else if (length < 0x1_0000) this.#tag16(0xc5, length)
    else this.#tag32(0xc6, length)
    const at = this.#reserve(length)
    this.#bytes.set(bytes, at)
  }

  #writeExtension({ type, data }: Extension): void {
    const length = data.length
    const fixed = [1, 2, 4, 8, 16].indexOf(length)
    if (fixed >= 0) this.#tag(0xd4 + fixed)
    else if (length < 0x100) this.#tag8(0xc7, length)
    else if (length < 0x1_0000) this.#tag16(0xc8, length)
    else this.#tag32(0xc9, length)
    this.#tag(type)
    const at = this.#reserve(length)
    this.#bytes.set(data, at)
  }

  #writeArray(values: readonly Value[]): void {
    this.writeArrayHeader(values.length)
    for (let i = 0; i < values.length; i++) this.write(values[i] as Value)
  }

  writeArrayHeader(count: number): void {
    if (count < 0x10) this.#tag(0x90 | count)
    else if (count < 0x1_0000) this.#tag16(0xdc, count)
    else this.#tag32(0xdd, count)
  }

  #writeMapHeader(count: number): void {
    if (count < 0x10) this.#tag(0x80 | count)
    else if (count < 0x1_0000) this.#tag16(0xde, count)
    else this.#tag32(0xdf, count)
  }

  #writeMap(map: ReadonlyMap<Value, Value>): void {
    this.#writeMapHeader(map.size)
    const seen = new DuplicateKeys()
    for (const [key, value] of map) {
      const verdict = seen.add(key)
      if (verdict === 'unusable') {
        throw new EncodeError('P2P_ENCODE_TYPE', 'a map cannot be (part of) a key of a map')
      }
      if (verdict === 'duplicate') {
        throw new EncodeError('P2P_ENCODE_DUPLICATE_KEY', 'two keys of a map are the same')
      }
      this.write(key)
      this.write(value)
    }
  }

  #writeRecord(record: { readonly [key: string]: Value }): void {
    const prototype: unknown = Object.getPrototypeOf(record)
    if (prototype !== null && prototype !== Object.prototype) {
      throw new EncodeError('P2P_ENCODE_TYPE', 'only plain objects can be encoded')
    }
    const keys = orderedKeys(record)
    this.#writeMapHeader(keys.length)
    for (const key of keys) {
      this.#writeText(key)
      this.write(record[key] as Value)
    }
  }
}

function isArray(value: object): value is readonly Value[] {
  return Array.isArray(value)
}

function isMap(value: object): value is ReadonlyMap<Value, Value> {
  return value instanceof Map
}
