/** What a decoder has written so far: grows as it is filled, and never beyond its limit. */

import { InflateFailure } from '../inflate-failure.ts'

export class BoundedOutput {
  readonly maxBytes: number
  length = 0
  #bytes: Uint8Array

  constructor(maxBytes: number, likelyBytes: number) {
    this.maxBytes = maxBytes
    this.#bytes = new Uint8Array(Math.min(maxBytes, likelyBytes))
  }

  /** Makes room for so many bytes more; InflateFailure when the limit is not so far away. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.#bytes.length) return
    if (needed > this.maxBytes) throw new InflateFailure('too-large')
    const larger = new Uint8Array(Math.min(this.maxBytes, Math.max(needed, 2 * this.length)))
    larger.set(this.#bytes.subarray(0, this.length))
    this.#bytes = larger
  }

  push(byte: number): void {
    if (this.length === this.#bytes.length) this.reserve(1)
    this.#bytes[this.length++] = byte
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** The same byte `count` times. */
  repeat(byte: number, count: number): void {
    this.reserve(count)
    this.#bytes.fill(byte, this.length, this.length + count)
    this.length += count
  }

  /** What stands `distance` bytes back, again; it may overlap what it writes. */
  copy(distance: number, count: number): void {
    this.reserve(count)
    const bytes = this.#bytes
    let to = this.length
    for (const end = to + count; to < end; to++) bytes[to] = bytes[to - distance] as number
    this.length = to
  }

  /** The byte `distance` bytes back, which must be there. */
  byteBack(distance: number): number {
    return this.#bytes[this.length - distance] as number
  }

  /** All that was written, in memory of its own size. */
  finish(): Uint8Array {
    return this.length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.length)
  }
}
