/**
 * The two errors of this package. They carry the brand and the shape of `P2pError` in @p2p/base, so
 * `isP2pError` there is true for both; this package imports no other of ours.
 *
 * Test `error.code`, never instanceof: two copies of the package may be loaded.
 */

const brand: unique symbol = Symbol.for('@p2p/error') as never

/** What cannot be put on the wire. Each code stands with cause and remedy in the README. */
export type EncodeErrorCode =
  | 'P2P_ENCODE_TYPE'
  | 'P2P_ENCODE_RANGE'
  | 'P2P_ENCODE_TEXT'
  | 'P2P_ENCODE_DUPLICATE_KEY'
  | 'P2P_ENCODE_TOO_DEEP'
  | 'P2P_ENCODE_TOO_LARGE'
  | 'P2P_ENCODE_METHOD'

/** Why bytes were refused. Each code stands with cause and remedy in the README. */
export type DecodeErrorCode =
  | 'P2P_FRAME_TOO_LARGE'
  | 'P2P_FRAME_LENGTH'
  | 'P2P_CHECKSUM_MISMATCH'
  | 'P2P_INFLATED_TOO_LARGE'
  | 'P2P_MESSAGE_NOT_ARRAY'
  | 'P2P_MESSAGE_HEADER'
  | 'P2P_MSGPACK_TRUNCATED'
  | 'P2P_MSGPACK_INVALID'
  | 'P2P_MSGPACK_TOO_DEEP'
  | 'P2P_MSGPACK_TOO_MANY_VALUES'
  | 'P2P_MSGPACK_TEXT'
  | 'P2P_MSGPACK_KEY'
  | 'P2P_MSGPACK_DUPLICATE_KEY'
  | 'P2P_MSGPACK_EXTENSION'
  | 'P2P_MSGPACK_TRAILING'
  | 'P2P_BASE58_INVALID'
  | 'P2P_LEGACY_INVALID'

/** Numbers and short texts that belong to a failure, such as `{ limit: 65536, got: 70000 }`. */
export type ErrorFacts = Readonly<Record<string, string | number>>

/** Our own mistake: a value that this wire cannot carry. */
export class EncodeError extends Error {
  /** For messages and stack traces; test `code`. */
  override readonly name = 'EncodeError'
  /** Stable; the README lists cause and remedy. */
  readonly code: EncodeErrorCode
  /** Numbers that belong to the failure, such as `limit`. */
  readonly facts: ErrorFacts

  constructor(code: EncodeErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message)
    this.code = code
    this.facts = facts
    Object.defineProperty(this, brand, { value: true })
  }
}

/** The sender's mistake: bytes that are not what they claim to be, or that would cost too much. */
export class DecodeError extends Error {
  /** For messages and stack traces; test `code`. */
  override readonly name = 'DecodeError'
  /** Stable; the README lists cause and remedy. */
  readonly code: DecodeErrorCode
  /** Numbers that belong to the failure: `offset` in bytes, `limit`, `expected`, `got`. */
  readonly facts: ErrorFacts

  constructor(code: DecodeErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message)
    this.code = code
    this.facts = facts
    Object.defineProperty(this, brand, { value: true })
  }
}
