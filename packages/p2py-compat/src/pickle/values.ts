/**
 * Python values in TypeScript, both ways without loss.
 *
 *  Python             TypeScript
 *  None               null
 *  bool               boolean
 *  int                number when it is a safe integer, bigint beyond
 *  float              number; PyFloat for one that JavaScript cannot tell from an int, such as 1.0
 *  str                string (well formed: no lone surrogates)
 *  bytes              Uint8Array
 *  bytearray          PyByteArray
 *  tuple              PyTuple
 *  list               array
 *  set, frozenset     Set, PyFrozenSet
 *  dict               Map; when writing also a plain object, whose keys become str
 *  p2py.p2p.Request   PyRequest
 *
 * No other class is ever read or written (spec p2py, 12).
 */

export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyFloat
  | PyByteArray
  | PyTuple
  | PyFrozenSet
  | PyRequest
  | readonly PyValue[]
  | ReadonlySet<PyValue>
  | ReadonlyMap<PyValue, PyValue>
  | { readonly [key: string]: PyValue }

/** A Python float with a whole value: `new PyFloat(1)` is 1.0, while the number 1 is the int 1. */
export class PyFloat {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** A Python bytearray. The bytes are borrowed, not copied. */
export class PyByteArray {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** A Python tuple; a plain array is a list. p2py uses addresses as dict keys, so they are tuples. */
export class PyTuple {
  readonly items: readonly PyValue[]

  constructor(items: readonly PyValue[]) {
    this.items = items
  }

  [Symbol.iterator](): IterableIterator<PyValue> {
    return this.items[Symbol.iterator]()
  }
}

/** A Python frozenset. */
export class PyFrozenSet {
  readonly items: ReadonlySet<PyValue>

  constructor(items: ReadonlySet<PyValue>) {
    this.items = items
  }
}

/** Attributes of a pickled Request that are read; `node` is left out even where a peer sent it. */
export const requestAttributes: readonly string[] = ['callback_address', 'request_id', 'contents']

/**
 * An instance of `p2py.p2p.Request` as it stands in a pickle: attributes by name, in order, nothing
 * checked but the names. `messages.ts` turns it into a request one can trust the shape of.
 */
export class PyRequest {
  readonly state: ReadonlyMap<string, PyValue>

  constructor(state: ReadonlyMap<string, PyValue>) {
    this.state = state
  }
}
