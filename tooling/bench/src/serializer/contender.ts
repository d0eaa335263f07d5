import type { WireFields } from './cases.ts'

/** One way of turning messages into frames and back. */
export interface Contender {
  readonly name: string
  /** What it decodes fastest; a Node socket gives Buffers, our splitter Uint8Arrays. */
  readonly takes: 'Buffer' | 'Uint8Array'
  /** A whole 0.7 frame, uncompressed: length, checksum, body. */
  encode(fields: WireFields): Uint8Array
  /** Takes a whole frame, verifies the checksum, decodes everything; returns the decoded data. */
  decode(frame: Uint8Array): unknown
}
