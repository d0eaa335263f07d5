/**
 * Reads a pickle without running it.
 *
 * Python's pickle is a program for a small stack machine: instructions push values, gather what lies
 * above a mark into containers, and store values in a memo for later use. This interpreter knows the
 * instructions that build plain data and, as a fixed table (`globals.ts`), the few calls by which
 * CPython writes bytes, sets and Request objects. Everything else is refused before it has an effect.
 * The instructions are in `instructions.ts`; here are the loop, the stack, the memo and the input.
 *
 * Source: CPython 3.11, Lib/pickletools.py; spec p2py, 3.2 and 12.
 */
import { Budget } from './budget.ts'
import { pickleError } from './errors.ts'
import { assertPlainTree } from './graph.ts'
import { instructions } from './instructions.ts'
import { KeyIndex } from './keys.ts'
import { defaultPickleLimits, type PickleLimits } from './limits.ts'
import { opcodes } from './opcodes.ts'
import { decodeLatin1 } from './text-literals.ts'
import { PyRequest, type PyValue } from './values.ts'

/**
 * The value of one pickle of protocol 0 to 5. Byte strings are copied out of `bytes`.
 *
 * Throws P2pError with a code `P2P_PICKLE_…`, and nothing else, whatever the bytes are.
 *
 * @example
 * decodePickle(Uint8Array.of(0x80, 4, 0x4b, 17, 0x2e)) // 17
 */
export function decodePickle(bytes: Uint8Array, limits: Partial<PickleLimits> = {}): PyValue {
  const reader = new PickleReader(bytes, { ...defaultPickleLimits, ...limits })
  const result = reader.run()
  assertPlainTree(result, reader.budget.limits)
  return result
}

/** State of one reading; used by `instructions.ts` only. */
export class PickleReader {
  readonly budget: Budget
  readonly keys: KeyIndex
  readonly #bytes: Uint8Array
  #position = 0
  #frameEnd = 0
  #stack: unknown[] = []
  readonly #marks: number[] = []
  readonly #memo = new Map<number, unknown>()
  /** Instances that no BUILD has filled yet, with the map it will fill. */
  readonly #unbuilt = new Map<PyRequest, Map<string, PyValue>>()

  constructor(bytes: Uint8Array, limits: PickleLimits) {
    this.budget = new Budget(limits)
    this.keys = new KeyIndex(this.budget)
    this.#bytes = bytes
    if (bytes.length > limits.maxPickleBytes) {
      throw pickleError(
        'P2P_PICKLE_LIMIT',
        `pickle of ${bytes.length} bytes, the limit is ${limits.maxPickleBytes}`,
        { limit: limits.maxPickleBytes, got: bytes.length },
      )
    }
  }

  run(): unknown {
    for (;;) {
      const opcode = this.readByte()
      if (opcode === opcodes.STOP) return this.#finish()
      const instruction = instructions.get(opcode)
      if (instruction === undefined) {
        throw pickleError('P2P_PICKLE_OPCODE', `opcode ${opcode} is unknown or never accepted`, {
          opcode,
          offset: this.#position - 1,
        })
      }
      instruction(this)
    }
  }

  #finish(): unknown {
    if (this.#stack.length !== 1 || this.#marks.length > 0) {
      throw this.stackError('one value has to be left at the end')
    }
    if (this.#position !== this.#bytes.length) {
      throw pickleError('P2P_PICKLE_TRAILING', 'bytes after the end of a pickle', {
        offset: this.#position,
      })
    }
    return this.#stack[0]
  }

  // Input

  readByte(): number {
    const byte = this.#bytes[this.#position]
    if (byte === undefined) throw this.#truncated()
    this.#position += 1
    return byte
  }

  /** The next bytes as a view; copy what is kept. */
  readBytes(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#position) throw this.#truncated()
    this.#position += count
    return this.#bytes.subarray(this.#position - count, this.#position)
  }

  /** Little-endian, unsigned. Eight bytes may lose their low bits; they are too big anyway then. */
  readUint(byteCount: 1 | 2 | 4 | 8): number {
    let value = 0
    let factor = 1
    for (const byte of this.readBytes(byteCount)) {
      value += byte * factor
      factor *= 256
    }
    return value
  }

  /** Text up to a line feed, one character per byte. */
  readLine(): string {
    return decodeLatin1(this.readLineBytes())
  }

  readLineBytes(): Uint8Array {
    const end = this.#bytes.indexOf(0x0a, this.#position)
    if (end < 0) throw this.#truncated()
    const line = this.readBytes(end - this.#position)
    this.#position += 1
    return line
  }

  /** FRAME only groups bytes for reading ahead; it has to fit, and must not lie inside another. */
  beginFrame(byteCount: number): void {
    if (byteCount > this.#bytes.length - this.#position) throw this.#truncated()
    if (this.#position < this.#frameEnd) throw this.stackError('a frame inside a frame')
    this.#frameEnd = this.#position + byteCount
  }

  // Stack

  push(value: unknown): void {
    this.budget.chargeValues(1)
    this.#stack.push(value)
  }

  pop(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.stackError('nothing to take')
    return this.#stack.pop()
  }

  peek(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.stackError('nothing to look at')
    return this.#stack.at(-1)
  }

  /**
   * The value once more. No pickler shares integers, and our writer does not: each copy of a big one
   * would take its bytes again when the value is passed on.
   */
  pushAgain(value: unknown): void {
    if (typeof value === 'bigint') this.budget.chargeBytes(this.budget.limits.maxIntegerBytes)
    this.push(value)
  }

  mark(): void {
    this.budget.chargeValues(1)
    this.#marks.push(this.#stack.length)
  }

  /** POP takes a mark away when nothing lies above it. */
  popValueOrMark(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop()
    else this.pop()
  }

  /** Takes everything above the newest mark, and the mark. */
  popToMark(): unknown[] {
    const start = this.#marks.pop()
    if (start === undefined) throw this.stackError('no mark')
    return this.#stack.splice(start)
  }

  // Memo

  memoize(index: number | undefined): void {
    const key = index ?? this.#memo.size
    if (key > this.budget.limits.maxValues) throw this.stackError('memo index out of range')
    this.#memo.set(key, this.peek())
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw this.stackError('nothing in the memo under that index')
    this.pushAgain(this.#memo.get(index))
  }

  // Instances

  makeRequest(): PyRequest {
    const state = new Map<string, PyValue>()
    const request = new PyRequest(state)
    this.#unbuilt.set(request, state)
    return request
  }

  /** The attributes that BUILD has to fill, once; undefined for everything else. */
  takeUnbuilt(instance: unknown): Map<string, PyValue> | undefined {
    if (!(instance instanceof PyRequest)) return undefined
    const state = this.#unbuilt.get(instance)
    this.#unbuilt.delete(instance)
    return state
  }

  stackError(message: string): Error {
    return pickleError('P2P_PICKLE_STACK', `a pickle misuses its stack or memo: ${message}`, {
      offset: this.#position,
    })
  }

  #truncated(): Error {
    return pickleError('P2P_PICKLE_TRUNCATED', 'a pickle ends inside an instruction', {
      offset: this.#position,
    })
  }
}
