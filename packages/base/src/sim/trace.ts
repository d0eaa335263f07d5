/**
 * What happened, twice: as one hash over everything, and as the last lines of each node.
 *
 * The hash covers every input that any machine was given (time, node, kind, link, bytes) and the
 * kind of every effect that came back, in order. Two runs with the same hash did the same.
 * It is a chain of SHA-256 over blocks, each with the hash of what came before: that needs only the
 * one-shot digest that Node and browsers both have, so a simulation in a tab has the same hash.
 */
import { sha256, toHex, utf8Encode } from '@p2p/serializer'

const bufferBytes = 65_536
const headBytes = 20
/** Each block begins with the hash of the ones before it. */
const chainBytes = 32

/** A hash over the ordered events of a run. */
export class TraceHash {
  readonly #buffer = new Uint8Array(bufferBytes)
  readonly #view = new DataView(this.#buffer.buffer)
  /** The texts of kinds, of which there are a few dozen, as bytes. */
  readonly #kinds = new Map<string, Uint8Array>()
  #used = chainBytes
  /** Events recorded so far. */
  count = 0

  /**
   * ```
   * offset  size  field
   * 0       8     milliseconds, float64
   * 8       4     node number
   * 12      4     link or dial number, or 0
   * 16      4     length of the text and the bytes that follow
   * ```
   */
  record(atMs: number, node: number, number: number, kind: string, bytes?: Uint8Array): void {
    const text = this.#bytesOf(kind)
    if (this.#used + headBytes + text.length > bufferBytes) this.#flush()
    const at = this.#used
    this.#view.setFloat64(at, atMs)
    this.#view.setUint32(at + 8, node)
    this.#view.setUint32(at + 12, number)
    this.#view.setUint32(at + 16, text.length + (bytes?.length ?? 0))
    this.#buffer.set(text, at + headBytes)
    this.#used = at + headBytes + text.length
    if (bytes !== undefined) this.#append(bytes)
    this.count += 1
  }

  /** The hash of everything so far, as 64 hexadecimal digits; recording may go on. */
  digest(): string {
    return toHex(this.#block())
  }

  #bytesOf(kind: string): Uint8Array {
    const known = this.#kinds.get(kind)
    if (known !== undefined) return known
    const bytes = utf8Encode(kind)
    this.#kinds.set(kind, bytes)
    return bytes
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length <= bufferBytes - this.#used) {
      this.#buffer.set(bytes, this.#used)
      this.#used += bytes.length
      return
    }
    let taken = 0
    while (taken < bytes.length) {
      if (this.#used === bufferBytes) this.#flush()
      const part = bytes.subarray(taken, taken + bufferBytes - this.#used)
      this.#buffer.set(part, this.#used)
      this.#used += part.length
      taken += part.length
    }
  }

  #block(): Uint8Array {
    return sha256(this.#buffer.subarray(0, this.#used))
  }

  #flush(): void {
    this.#buffer.set(this.#block())
    this.#used = chainBytes
  }
}

/** One line of a transcript: an input (`in`) or an effect (`out`) of one node. */
export interface TranscriptEntry {
  readonly atMs: number
  readonly direction: 'in' | 'out'
  readonly event: { readonly type: string }
}

/** The last events of one node, oldest first. */
export class Transcript {
  readonly #length: number
  readonly #entries: TranscriptEntry[] = []
  #next = 0

  constructor(length: number) {
    this.#length = length
  }

  add(atMs: number, direction: 'in' | 'out', event: { readonly type: string }): void {
    if (this.#length === 0) return
    this.#entries[this.#next] = { atMs, direction, event }
    this.#next = (this.#next + 1) % this.#length
  }

  entries(): readonly TranscriptEntry[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)]
  }
}
