/**
 * Writes msgpack values one after the other into a buffer that grows.
 *
 * Short results are cut from a shared slab, as Node cuts its small Buffers: allocating is dearer than
 * writing a short message. A result that does not fit gets a buffer of its own, sized by what is
 * known of it. A result is never written to again.
 */
import { EncodeError } from '../errors.ts'
import { defaultLimits, sparedValues } from '../limits.ts'
import { isWellFormed, writeUtf8 } from '../text.ts'
import { Extension, Float, orderedKeys } from '../value.ts'
import type { Value } from '../value.ts'
import { DuplicateKeys } from './duplicate-keys.ts'

const slabBytes = 8 * 1024
/** What must be left of a slab to begin a result in it. */
const leastRoomBytes = 512
/** Longer results get a buffer of their own, so that a kept one does not keep a slab. */
const longestInSlabBytes = slabBytes / 4
/** Room behind a long byte string for the few short values that often follow it. */
const spareBytes = 64
/** Up to here a loop over the characters beats the native encoder. */
const shortTextUnits = 40

export class Writer {
  #slab = new Uint8Array(slabBytes)
  #slabView = new DataView(this.#slab.buffer)
  #slabAt = 0

  #bytes = this.#slab
  #view = this.#slabView
  #start = 0
  #at = 0
  #depth = 0
  #values = 0

  /** Bytes written so far, the headroom included. */
  get length(): number {
    return this.#at - this.#start
  }

  /** Starts a result with room for `headroom` bytes in front of the first value. */
  begin(headroom: number): void {
    if (slabBytes - this.#slabAt < leastRoomBytes) this.#newSlab()
    this.#bytes = this.#slab
    this.#view = this.#slabView
    this.#start = this.#slabAt
    this.#at = this.#start + headroom
    this.#depth = 0
    this.#values = 0
  }

  #newSlab(): void {
    this.#slab = new Uint8Array(slabBytes)
    this.#slabView = new DataView(this.#slab.buffer)
    this.#slabAt = 0
  }

  /** The result: the headroom, then all values. */
  finish(): Uint8Array {
    const end = this.#at
    if (this.#bytes === this.#slab) this.#slabAt = (end + 7) & ~7
    return this.#bytes.subarray(this.#start, end)
  }

  /** Moves what is written so far to a new slab, or, when it is or will be long, to its own buffer. */
  #grow(count: number): void {
    const written = this.#bytes.subarray(this.#start, this.#at)
    const used = written.length
    if (used + count <= longestInSlabBytes) {
      this.#newSlab()
      this.#bytes = this.#slab
      this.#view = this.#slabView
    } else {
      this.#bytes = new Uint8Array(Math.max(used + count + spareBytes, 2 * used))
      this.#view = new DataView(this.#bytes.buffer)
    }
    this.#bytes.set(written)
    this.#start = 0
    this.#at = used
  }

  /** Makes sure that `count` bytes can be written; returns where. The caller moves `#at`. */
  #room(count: number): number {
    if (this.#at + count > this.#bytes.length) this.#grow(count)
    return this.#at
  }

  value(value: Value): void {
    switch (typeof value) {
      case 'number':
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value)
        else this.#float(value)
        return
      case 'string':
        this.text(value)
        return
      case 'boolean':
        this.#tag(value ? 0xc3 : 0xc2)
        return
      case 'bigint':
        this.#bigInt(value)
        return
      case 'object':
        this.#object(value)
        return
      default:
        throw new EncodeError('P2P_ENCODE_TYPE', `a ${typeof value} cannot be encoded`)
    }
  }

  #object(value: Exclude<Value, number | string | boolean | bigint>): void {
    if (value === null) this.#tag(0xc0)
    else if (value instanceof Uint8Array) this.bytes(value)
    else if (value instanceof Float) this.#float(value.value)
    else if (value instanceof Extension) this.#extension(value)
    else {
      if (isArray(value)) this.#array(value)
      else if (value instanceof Map) this.#map(value as ReadonlyMap<Value, Value>)
      else this.#record(value as { readonly [key: string]: Value })
      this.#depth--
    }
  }

  integer(value: number): void {
    const at = this.#room(9)
    const bytes = this.#bytes
    if (value >= 0) {
      if (value < 0x80) {
        bytes[at] = value
        this.#at = at + 1
      } else if (value < 0x1_0000_0000) this.#sized(0xcc, value)
      else this.#tag64(0xcf, value)
    } else if (value >= -0x20) this.#tag(value & 0xff)
    else if (value >= -0x80) this.#tag8(0xd0, value)
    else if (value >= -0x8000) this.#tag16(0xd1, value)
    else if (value >= -0x8000_0000) this.#tag32(0xd2, value)
    else this.#tag64(0xd3, value)
  }

  #tag(tag: number): void {
    const at = this.#room(1)
    this.#bytes[at] = tag
    this.#at = at + 1
  }

  #tag8(tag: number, value: number): void {
    const at = this.#room(2)
    this.#bytes[at] = tag
    this.#bytes[at + 1] = value
    this.#at = at + 2
  }

  #tag16(tag: number, value: number): void {
    const at = this.#room(3)
    const bytes = this.#bytes
    bytes[at] = tag
    bytes[at + 1] = value >> 8
    bytes[at + 2] = value
    this.#at = at + 3
  }

  #tag32(tag: number, value: number): void {
    const at = this.#room(5)
    const bytes = this.#bytes
    bytes[at] = tag
    bytes[at + 1] = value >> 24
    bytes[at + 2] = value >> 16
    bytes[at + 3] = value >> 8
    bytes[at + 4] = value
    this.#at = at + 5
  }

  /** Behind the narrowest of the three tags from this one on. */
  #sized(tag: number, value: number): void {
    if (value < 0x100) this.#tag8(tag, value)
    else if (value < 0x1_0000) this.#tag16(tag + 1, value)
    else this.#tag32(tag + 2, value)
  }

  #tag64(tag: number, value: number): void {
    const at = this.#room(9)
    const high = Math.floor(value / 0x1_0000_0000)
    this.#bytes[at] = tag
    this.#view.setInt32(at + 1, high)
    this.#view.setUint32(at + 5, value - high * 0x1_0000_0000)
    this.#at = at + 9
  }

  #bigInt(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.integer(Number(value))
      return
    }
    if (value > 0xffff_ffff_ffff_ffffn || value < -0x8000_0000_0000_0000n) {
      throw new EncodeError('P2P_ENCODE_RANGE', 'integer is outside -2^63 … 2^64-1')
    }
    const at = this.#room(9)
    this.#bytes[at] = value > 0n ? 0xcf : 0xd3
    this.#view.setBigUint64(at + 1, BigInt.asUintN(64, value))
    this.#at = at + 9
  }

  #float(value: number): void {
    const at = this.#room(9)
    this.#bytes[at] = 0xcb
    this.#view.setFloat64(at + 1, value)
    this.#at = at + 9
  }

  text(text: string): void {
    const units = text.length
    if (units <= shortTextUnits && this.#asciiText(text)) return
    // The header is written when the number of bytes is known; the text moves when it needs a
    // wider one than the same number of ASCII characters would.
    const guess = textHeaderBytes(units)
    let start = this.#room(textHeaderRoom + units) + guess
    // Not to the very end of the memory, counted from there: it may move.
    const end = guess - textHeaderRoom
    let step = writeUtf8(text, this.#bytes, start, end)
    if (step.read < units) {
      // Three bytes for a UTF-16 unit are always enough.
      start = this.#room(textHeaderRoom + units * 3) + guess
      step = writeUtf8(text, this.#bytes, start, end)
    }
    const length = step.written
    if (length !== units && !isWellFormed(text)) {
      throw new EncodeError('P2P_ENCODE_TEXT', 'text holds half a surrogate pair')
    }
    const header = textHeaderBytes(length)
    if (header !== guess) {
      this.#bytes.copyWithin(this.#at + header, start, start + length)
    }
    this.#textHeader(length)
    this.#at += length
  }

  /** Writes a short text of ASCII characters; false, and nothing written, when it is not one. */
  #asciiText(text: string): boolean {
    const units = text.length
    const header = textHeaderBytes(units)
    const at = this.#room(header + units) + header
    const bytes = this.#bytes
    for (let i = 0; i < units; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) return false
      bytes[at + i] = unit
    }
    this.#textHeader(units)
    this.#at = at + units
    return true
  }

  #textHeader(length: number): void {
    if (length < 0x20) this.#tag(0xa0 | length)
    else this.#sized(0xd9, length)
  }

  bytes(bytes: Uint8Array): void {
    const length = bytes.length
    this.#room(5 + length)
    this.#sized(0xc4, length)
    this.raw(bytes)
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    this.#at = at + bytes.length
  }

  #extension({ type, data }: Extension): void {
    const length = data.length
    const fixed = [1, 2, 4, 8, 16].indexOf(length)
    if (fixed >= 0) this.#tag(0xd4 + fixed)
    else this.#sized(0xc7, length)
    this.#tag(type)
    this.raw(data)
  }

  #array(values: readonly Value[]): void {
    this.#enter(values.length, values.length, 0x90, 0xdc)
    this.elements(values)
  }

  /** The values one after the other, without a header. */
  elements(values: readonly Value[]): void {
    for (let i = 0; i < values.length; i++) this.value(values[i] as Value)
  }

  /** The header of a message, whose values follow. */
  openMessage(count: number): void {
    this.#depth = -1
    this.#values = -sparedValues
    this.#enter(count, count, 0x90, 0xdc)
  }

  /** The header of an array or a map. Counts as a reader does: what it refuses is not written. */
  #enter(count: number, values: number, short: number, tag: number): void {
    const { maxDepth } = defaultLimits
    if (++this.#depth > maxDepth) {
      throw new EncodeError('P2P_ENCODE_TOO_DEEP', 'value is nested too deeply or holds itself', {
        limit: maxDepth,
      })
    }
    this.#count(values)
    if (count < 0x10) this.#tag(short | count)
    else if (count < 0x1_0000) this.#tag16(tag, count)
    else this.#tag32(tag + 1, count)
  }

  #count(values: number): void {
    const { maxValues } = defaultLimits
    if ((this.#values += values) > maxValues) {
      throw new EncodeError('P2P_ENCODE_TOO_LARGE', 'too many values', {
        limit: maxValues,
      })
    }
  }

  #map(map: ReadonlyMap<Value, Value>): void {
    this.#enter(map.size, 2 * map.size, 0x80, 0xde)
    const seen = new DuplicateKeys()
    for (const [key, value] of map) {
      const cost = seen.add(key)
      if (cost === undefined) {
        throw new EncodeError('P2P_ENCODE_TYPE', 'a map cannot be (part of) a key of a map')
      }
      if (cost < 0) {
        throw new EncodeError('P2P_ENCODE_DUPLICATE_KEY', 'two keys of a map are the same')
      }
      this.#count(cost)
      this.value(key)
      this.value(value)
    }
  }

  #record(record: { readonly [key: string]: Value }): void {
    const prototype: object | null = Object.getPrototypeOf(record) as object | null
    if (prototype !== Object.prototype && !isRoot(prototype)) {
      throw new EncodeError('P2P_ENCODE_TYPE', 'only plain objects can be encoded')
    }
    const keys = prototype === null ? orderedKeys(record) : Object.keys(record)
    this.#enter(keys.length, 2 * keys.length, 0x80, 0xde)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      this.text(key)
      this.value(record[key] as Value)
    }
  }
}

/** More than the longest header, which has five bytes. */
const textHeaderRoom = 6

function textHeaderBytes(length: number): number {
  if (length < 0x20) return 1
  if (length < 0x100) return 2
  return length < 0x1_0000 ? 3 : 5
}

/** True for what plain objects inherit from, in any realm; classes inherit from something that inherits. */
function isRoot(prototype: object | null): boolean {
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function isArray(value: object): value is readonly Value[] {
  return Array.isArray(value)
}
