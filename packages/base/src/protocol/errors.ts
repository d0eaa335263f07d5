/**
 * The error of every @p2p network package.
 *
 * What a caller did wrong is a TypeError or RangeError, thrown at once. What the network or a peer
 * did wrong is a P2pError: a rejected promise, or a value in an event. Test with `isP2pError(e)` or
 * `e.code`, never with instanceof: two copies of this package may be loaded.
 */

const brand: unique symbol = Symbol.for('@p2p/error') as never

/** Stable codes; each is listed with cause and remedy in the README of its package. */
export type P2pErrorCode = `P2P_${string}`

export class P2pError extends Error {
  override readonly name = 'P2pError'
  readonly code: P2pErrorCode
  /** Numbers and short texts that belong to the failure, such as `{ limit: 65536, got: 70000 }`. */
  readonly facts: Readonly<Record<string, string | number>>

  constructor(
    code: P2pErrorCode,
    message: string,
    options: {
      readonly cause?: unknown
      readonly facts?: Readonly<Record<string, string | number>>
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.facts = options.facts ?? {}
    Object.defineProperty(this, brand, { value: true })
  }
}

/** True for a P2pError made by any copy of this package. */
export function isP2pError(value: unknown): value is P2pError {
  return typeof value === 'object' && value !== null && brand in value
}
