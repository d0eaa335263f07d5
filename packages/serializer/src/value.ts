/**
 * What a message can carry, as JavaScript values, and the two wrappers for what JavaScript has no
 * own type for.
 *
 *   msgpack            decoded as                                   encoded from
 *   nil, bool          null, boolean                                the same
 *   int                number; bigint outside ±(2^53 − 1)           number that is a safe integer; bigint
 *   float              number; Float where a number would be an int number that is not; Float
 *   str                string                                       string
 *   bin                Uint8Array                                   Uint8Array
 *   array              array                                        array
 *   map                null-prototype object if all keys are text,  plain object, Map
 *                      else Map
 *   ext 0…127          Extension                                    Extension
 */

/** Anything that travels in a message. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Float
  | Extension
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | { readonly [key: string]: Value }

/**
 * A number that is a float64 on the wire although its value is whole, as Python's `1.0`.
 *
 * @example encodeValue([1, new Float(1)]) // 92 01 cb3ff0000000000000
 */
export class Float {
  /** Any number, also a fractional one, NaN or infinite. */
  readonly value: number

  constructor(value: number) {
    if (typeof value !== 'number') throw new TypeError('a Float wraps a number')
    this.value = value
  }

  /** So that arithmetic and comparison work: `new Float(1) + 1 === 2`. */
  valueOf(): number {
    return this.value
  }

  /** So that `JSON.stringify` writes the number. */
  toJSON(): number {
    return this.value
  }
}

/**
 * A msgpack extension value. Old nodes never send one; py2p reads the types 0…127 and closes the link
 * for others, js2p turns some into dates and errors. Use it only between programs that agreed on it.
 */
export class Extension {
  /** 0…127 */
  readonly type: number
  /** Shorter than 4 GiB; not copied. */
  readonly data: Uint8Array

  constructor(type: number, data: Uint8Array) {
    if (!Number.isInteger(type) || type < 0 || type > 127) {
      throw new RangeError(`extension type ${type} is outside 0…127`)
    }
    this.type = type
    this.data = data
  }
}

/**
 * JavaScript moves keys such as `"10"` to the front of an object. Where that changes the order that
 * was on the wire, the order is kept under this symbol (not enumerable, so copies do not have it).
 */
const wireOrder: unique symbol = Symbol('order of the keys on the wire')

/** Remembers the order of the keys of a decoded object, if JavaScript moved them. */
export function keepOrder(
  record: { readonly [key: string]: Value },
  order: readonly string[],
): void {
  const keys = Object.keys(record)
  if (order.some((key, index) => key !== keys[index])) {
    Object.defineProperty(record, wireOrder, { value: order })
  }
}

/** The keys in the order in which they were decoded; in the object's own order when it was changed. */
export function orderedKeys(record: { readonly [key: string]: Value }): readonly string[] {
  const keys = Object.keys(record)
  const order = (record as { readonly [wireOrder]?: readonly string[] })[wireOrder]
  const unchanged =
    order?.length === keys.length && order.every((key) => Object.hasOwn(record, key))
  return unchanged ? order : keys
}
