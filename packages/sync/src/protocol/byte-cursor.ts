/**
 * Writing and reading of short binary fields, one after the other.
 *
 * A varint holds seven bits in each byte, the lowest first; the high bit says that more follow.
 */
import { readByteText, writeByteText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import { copyBytes, writeBytes } from './copy-bytes.ts'

/** Seven bits in a byte: so many bytes for the largest whole number. */
export const maxVarintBytes = 8

export class ByteWriter {
  readonly #bytes: Uint8Array
  #at = 0

  /** @param mostBytes more are never written */
  constructor(mostBytes: number) {
    this.#bytes = new Uint8Array(mostBytes)
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value
  }

  /** A whole number from 0 on. */
  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
  }

  /** A byte string with its length in front. */
  text(text: ByteText): void {
    this.varint(text.length)
    this.#at = writeByteText(text, this.#bytes, this.#at)
  }

  /** As `text`. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.#at = writeBytes(bytes, this.#bytes, this.#at)
  }

  /** What was written: a view. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }
}

/** What does not fit or is cut off reads as nothing, and `isBroken` says so from then on. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0
  isBroken = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) this.isBroken = true
    return byte ?? 0
  }

  varint(): number {
    let value = 0
    let unit = 1
    for (let count = 1; ; count++) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) break
      unit *= 0x80
      if (count === maxVarintBytes) {
        this.isBroken = true
        break
      }
    }
    if (value > Number.MAX_SAFE_INTEGER) this.isBroken = true
    return value
  }

  text(): ByteText {
    const start = this.#take(this.varint())
    return readByteText(this.#bytes, start, this.#at)
  }

  /** A copy: what is read shares its memory with whatever else came over the link. */
  bytes(): Uint8Array {
    const start = this.#take(this.varint())
    return copyBytes(this.#bytes, start, this.#at)
  }

  /** Moves over so many bytes; returns where they begin. */
  #take(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) this.isBroken = true
    else this.#at = start + length
    return start
  }
}
