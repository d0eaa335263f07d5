/**
 * Writes pickle protocol 4 as CPython's own pickler does, byte by byte: same opcodes, same memo
 * numbers, same batches of 1,000, same frames. Python 3.4 and newer read it.
 *
 * Containers and byte strings that occur twice (the same object) are written once, as in Python;
 * texts are, too, when they are equal, which is what Python does with the constants of a program.
 *
 * Source: CPython 3.11, Modules/_pickle.c; fixtures p2py/frames pin it.
 */
import { encodeInteger } from './integers.ts'
import { defaultPickleLimits } from './limits.ts'
import { opcodes, writtenProtocol } from './opcodes.ts'
import { PickleOutput } from './output.ts'
import { encodeUtf8 } from './utf8.ts'
import { PyByteArray, PyFloat, PyFrozenSet, PyRequest, PyTuple, type PyValue } from './values.ts'

/** CPython writes the items of lists, dicts and sets in groups of this size. */
const batchSize = 1000

/**
 * One value as a pickle, in an array of its own.
 *
 * Throws TypeError for something that is no PyValue (undefined, a function, an instance of a class of
 * yours), RangeError for a value that nests deeper than 256 levels or contains itself.
 *
 * @example
 * encodePickle({ type: 'TEXT', data: 'Hi!' })
 */
export function encodePickle(value: PyValue): Uint8Array {
  const writer = new PickleWriter()
  return writer.run(value)
}

class PickleWriter {
  readonly #output = new PickleOutput()
  readonly #memo = new Map<unknown, number>()
  /** Memo numbers of classes and functions, by `module.name`; a text may look the same. */
  readonly #globals = new Map<string, number>()
  #memoCount = 0
  /** Containers that are being written. */
  readonly #open = new Set<PyValue>()

  run(value: PyValue): Uint8Array {
    this.#output.writeUnframed([opcodes.PROTO, writtenProtocol])
    this.#save(value, 0)
    this.#output.write([opcodes.STOP])
    return this.#output.finish()
  }

  /** `depth`: containers around the value. Counted as the reader does, so what was read can be written. */
  #save(value: PyValue, depth: number): void {
    if (!this.#saveScalar(value)) {
      if (this.#open.has(value)) throw new RangeError('a value contains itself')
      const known = this.#memo.get(value)
      if (known === undefined) {
        this.#open.add(value)
        this.#saveObject(value, depth)
        this.#open.delete(value)
      } else {
        this.#writeGet(known)
      }
    }
    this.#output.endValue()
  }

  /** What is never memoized. */
  #saveScalar(value: PyValue): boolean {
    if (value === null) this.#output.write([opcodes.NONE])
    else if (value === true) this.#output.write([opcodes.NEWTRUE])
    else if (value === false) this.#output.write([opcodes.NEWFALSE])
    else if (typeof value === 'bigint') this.#saveInteger(value)
    else if (value instanceof PyFloat) this.#saveFloat(value.value)
    else if (typeof value === 'number') {
      const isInt = Number.isSafeInteger(value) && !Object.is(value, -0)
      if (isInt) this.#saveInteger(BigInt(value))
      else this.#saveFloat(value)
    } else return false
    return true
  }

  #saveInteger(value: bigint): void {
    if (value >= -0x80000000n && value <= 0x7fffffffn) {
      const small = Number(value)
      if (small >= 0 && small <= 0xff) this.#output.write([opcodes.BININT1, small])
      else if (small >= 0 && small <= 0xffff) {
        this.#output.write([opcodes.BININT2, small & 0xff, small >> 8])
      } else this.#output.write([opcodes.BININT, ...littleEndian32(small)])
      return
    }
    const bytes = encodeInteger(value)
    if (bytes.length <= 0xff) this.#output.write([opcodes.LONG1, bytes.length])
    else this.#output.write([opcodes.LONG4, ...littleEndian32(bytes.length)])
    this.#output.write(bytes)
  }

  #saveFloat(value: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value)
    this.#output.write([opcodes.BINFLOAT])
    this.#output.write(bytes)
  }

  #saveObject(value: PyValue, depth: number): void {
    if (typeof value === 'string') this.#saveText(value)
    else if (value instanceof Uint8Array) this.#saveBytes(value, value)
    else if (value instanceof PyByteArray) this.#saveByteArray(value)
    else this.#saveContainer(value, depth)
  }

  #saveContainer(value: PyValue, depth: number): void {
    if (depth >= defaultPickleLimits.maxDepth) {
      throw new RangeError(`a value nests deeper than ${defaultPickleLimits.maxDepth} levels`)
    }
    if (value instanceof PyTuple) this.#saveTuple(value, depth)
    else if (value instanceof PyFrozenSet) this.#saveFrozenSet(value, depth)
    else if (value instanceof PyRequest) this.#saveRequest(value, depth)
    else if (Array.isArray(value)) this.#saveList(value, depth)
    else if (value instanceof Set) this.#saveSet(value, depth)
    else if (value instanceof Map) this.#saveDict(value, value, depth)
    else if (isPlainObject(value)) this.#saveDict(value, new Map(Object.entries(value)), depth)
    else throw new TypeError(`a value of type ${typeof value} cannot be written as a pickle`)
  }

  #saveText(text: string): void {
    const bytes = encodeUtf8(text)
    const header =
      bytes.length <= 0xff
        ? [opcodes.SHORT_BINUNICODE, bytes.length]
        : [opcodes.BINUNICODE, ...littleEndian32(bytes.length)]
    this.#output.writePayload(header, bytes)
    this.#memoize(text)
  }

  #saveBytes(bytes: Uint8Array, memoKey: unknown): void {
    const header =
      bytes.length <= 0xff
        ? [opcodes.SHORT_BINBYTES, bytes.length]
        : [opcodes.BINBYTES, ...littleEndian32(bytes.length)]
    this.#output.writePayload(header, bytes)
    this.#memoize(memoKey)
  }

  /** Protocol 4 has no opcode for it: the call `bytearray(bytes)` is written. */
  #saveByteArray(value: PyByteArray): void {
    this.#saveGlobal('builtins', 'bytearray')
    if (value.bytes.length === 0) {
      this.#output.write([opcodes.EMPTY_TUPLE])
    } else {
      // CPython makes this tuple and the bytes in it on the spot, so nothing else can refer to them.
      this.#save(new PyTuple([value.bytes.slice()]), 0)
    }
    this.#output.write([opcodes.REDUCE])
    this.#memoize(value)
  }

  #saveTuple(tuple: PyTuple, depth: number): void {
    const { items } = tuple
    if (items.length === 0) {
      this.#output.write([opcodes.EMPTY_TUPLE])
      return
    }
    const isLong = items.length > 3
    if (isLong) this.#output.write([opcodes.MARK])
    for (const item of items) this.#save(item, depth + 1)
    this.#output.write([isLong ? opcodes.TUPLE : opcodes.TUPLE1 + items.length - 1])
    this.#memoize(tuple)
  }

  #saveList(list: readonly PyValue[], depth: number): void {
    this.#output.write([opcodes.EMPTY_LIST])
    this.#memoize(list)
    if (list.length === 1) {
      for (const item of list) this.#save(item, depth + 1)
      this.#output.write([opcodes.APPEND])
      return
    }
    for (let start = 0; start < list.length; start += batchSize) {
      this.#output.write([opcodes.MARK])
      for (const item of list.slice(start, start + batchSize)) this.#save(item, depth + 1)
      this.#output.write([opcodes.APPENDS])
    }
  }

  #saveSet(set: ReadonlySet<PyValue>, depth: number): void {
    this.#output.write([opcodes.EMPTY_SET])
    this.#memoize(set)
    if (set.size === 0) return
    const members = [...set].map((member) => [member])
    this.#saveBatches(members, opcodes.ADDITEMS, depth)
  }

  #saveFrozenSet(set: PyFrozenSet, depth: number): void {
    this.#output.write([opcodes.MARK])
    for (const item of set.items) this.#save(item, depth + 1)
    this.#output.write([opcodes.FROZENSET])
    this.#memoize(set)
  }

  #saveDict(memoKey: unknown, dict: ReadonlyMap<PyValue, PyValue>, depth: number): void {
    this.#output.write([opcodes.EMPTY_DICT])
    this.#memoize(memoKey)
    if (dict.size === 0) return
    if (dict.size === 1) {
      for (const entry of dict) this.#saveAll(entry, depth)
      this.#output.write([opcodes.SETITEM])
      return
    }
    this.#saveBatches([...dict], opcodes.SETITEMS, depth)
  }

  /** After a full last batch CPython writes an empty one (it only then sees that nothing is left). */
  #saveBatches(groups: readonly (readonly PyValue[])[], opcode: number, depth: number): void {
    for (let start = 0; start <= groups.length; start += batchSize) {
      this.#output.write([opcodes.MARK])
      for (const group of groups.slice(start, start + batchSize)) this.#saveAll(group, depth)
      this.#output.write([opcode])
    }
  }

  #saveAll(values: readonly PyValue[], depth: number): void {
    for (const value of values) this.#save(value, depth + 1)
  }

  #saveRequest(request: PyRequest, depth: number): void {
    this.#saveGlobal('p2py.p2p', 'Request')
    this.#output.write([opcodes.EMPTY_TUPLE, opcodes.NEWOBJ])
    this.#memoize(request)
    this.#save(request.state, depth)
    this.#output.write([opcodes.BUILD])
  }

  #saveGlobal(module: string, name: string): void {
    const memoKey = `${module}.${name}`
    const known = this.#globals.get(memoKey)
    if (known !== undefined) {
      this.#writeGet(known)
      return
    }
    this.#save(module, 0)
    this.#save(name, 0)
    this.#output.write([opcodes.STACK_GLOBAL])
    this.#globals.set(memoKey, this.#memoCount)
    this.#memoize(undefined)
  }

  #memoize(key: unknown): void {
    if (key !== undefined) this.#memo.set(key, this.#memoCount)
    this.#memoCount += 1
    this.#output.write([opcodes.MEMOIZE])
  }

  #writeGet(index: number): void {
    if (index <= 0xff) this.#output.write([opcodes.BINGET, index])
    else this.#output.write([opcodes.LONG_BINGET, ...littleEndian32(index)])
  }
}

function littleEndian32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff]
}

function isPlainObject(value: PyValue): value is { readonly [key: string]: PyValue } {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
