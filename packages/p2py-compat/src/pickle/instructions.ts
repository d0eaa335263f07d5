/**
 * One small function per instruction that is accepted. `reader.ts` looks them up by opcode.
 *
 * Containers are mutable while a pickle is read (a list is memoized before it is filled), so they are
 * checked as a whole afterwards (`graph.ts`); that is also why values are `unknown` here.
 *
 * Source: CPython 3.11, Lib/pickle.py, class _Unpickler.
 */
import { limitError } from './budget.ts'
import { pickleError } from './errors.ts'
import { allowedGlobal, newObject, reduce } from './globals.ts'
import { decodeInteger } from './integers.ts'
import { highestProtocol, opcodes } from './opcodes.ts'
import type { PickleReader } from './reader.ts'
import {
  decodeAscii,
  parseFloatLine,
  parseIntLine,
  parseLongLine,
  parseStringLine,
  parseUnicodeLine,
} from './text-literals.ts'
import { decodeUtf8 } from './utf8.ts'
import {
  PyByteArray,
  PyFloat,
  PyFrozenSet,
  PyTuple,
  requestAttributes,
  type PyValue,
} from './values.ts'

type Instruction = (reader: PickleReader) => void

const control: readonly (readonly [number, Instruction])[] = [
  [opcodes.PROTO, readProtocol],
  [opcodes.FRAME, (reader) => reader.beginFrame(reader.readUint(8))],
  [opcodes.MARK, (reader) => reader.mark()],
  [opcodes.POP, (reader) => reader.popValueOrMark()],
  [opcodes.POP_MARK, (reader) => void reader.popToMark()],
  [opcodes.DUP, (reader) => reader.pushAgain(reader.peek())],
  [opcodes.MEMOIZE, (reader) => reader.memoize(undefined)],
  [opcodes.PUT, (reader) => reader.memoize(readMemoLine(reader))],
  [opcodes.BINPUT, (reader) => reader.memoize(reader.readByte())],
  [opcodes.LONG_BINPUT, (reader) => reader.memoize(reader.readUint(4))],
  [opcodes.GET, (reader) => reader.recall(readMemoLine(reader))],
  [opcodes.BINGET, (reader) => reader.recall(reader.readByte())],
  [opcodes.LONG_BINGET, (reader) => reader.recall(reader.readUint(4))],
]

const scalars: readonly (readonly [number, Instruction])[] = [
  [opcodes.NONE, (reader) => reader.push(null)],
  [opcodes.NEWTRUE, (reader) => reader.push(true)],
  [opcodes.NEWFALSE, (reader) => reader.push(false)],
  [opcodes.BININT, (reader) => reader.push(reader.readUint(4) | 0)],
  [opcodes.BININT1, (reader) => reader.push(reader.readByte())],
  [opcodes.BININT2, (reader) => reader.push(reader.readUint(2))],
  [opcodes.LONG1, (reader) => pushLong(reader, reader.readByte())],
  [opcodes.LONG4, (reader) => pushLong(reader, reader.readUint(4))],
  [opcodes.INT, (reader) => reader.push(parseIntLine(reader.readLine()))],
  [opcodes.LONG, (reader) => reader.push(parseLongLine(reader.readLine()))],
  [opcodes.FLOAT, (reader) => pushFloat(reader, parseFloatLine(reader.readLine()))],
  [opcodes.BINFLOAT, (reader) => pushFloat(reader, decodeFloat64(reader.readBytes(8)))],
  [opcodes.STRING, (reader) => reader.push(parseStringLine(reader.readLine()))],
  [opcodes.UNICODE, (reader) => reader.push(parseUnicodeLine(reader.readLine()))],
  [opcodes.BINSTRING, (reader) => reader.push(decodeAscii(reader.readBytes(reader.readUint(4))))],
  [
    opcodes.SHORT_BINSTRING,
    (reader) => reader.push(decodeAscii(reader.readBytes(reader.readByte()))),
  ],
  [opcodes.SHORT_BINUNICODE, (reader) => pushText(reader, reader.readByte())],
  [opcodes.BINUNICODE, (reader) => pushText(reader, reader.readUint(4))],
  [opcodes.BINUNICODE8, (reader) => pushText(reader, reader.readUint(8))],
  [opcodes.SHORT_BINBYTES, (reader) => pushBytes(reader, reader.readByte())],
  [opcodes.BINBYTES, (reader) => pushBytes(reader, reader.readUint(4))],
  [opcodes.BINBYTES8, (reader) => pushBytes(reader, reader.readUint(8))],
  [
    opcodes.BYTEARRAY8,
    (reader) => reader.push(new PyByteArray(reader.readBytes(reader.readUint(8)).slice())),
  ],
]

const containers: readonly (readonly [number, Instruction])[] = [
  [opcodes.EMPTY_LIST, (reader) => reader.push([])],
  [opcodes.LIST, (reader) => reader.push(reader.popToMark())],
  [opcodes.APPEND, (reader) => appendAll(reader, [reader.pop()])],
  [opcodes.APPENDS, (reader) => appendAll(reader, reader.popToMark())],
  [opcodes.EMPTY_TUPLE, (reader) => pushTuple(reader, [])],
  [opcodes.TUPLE, (reader) => pushTuple(reader, reader.popToMark())],
  [opcodes.TUPLE1, (reader) => pushTuple(reader, popMany(reader, 1))],
  [opcodes.TUPLE2, (reader) => pushTuple(reader, popMany(reader, 2))],
  [opcodes.TUPLE3, (reader) => pushTuple(reader, popMany(reader, 3))],
  [opcodes.EMPTY_DICT, (reader) => reader.push(new Map())],
  [opcodes.DICT, pushDict],
  [opcodes.SETITEM, (reader) => setItems(reader, popMany(reader, 2))],
  [opcodes.SETITEMS, (reader) => setItems(reader, reader.popToMark())],
  [opcodes.EMPTY_SET, (reader) => reader.push(new Set())],
  [opcodes.ADDITEMS, addItems],
  [opcodes.FROZENSET, pushFrozenSet],
]

const instances: readonly (readonly [number, Instruction])[] = [
  [opcodes.GLOBAL, pushGlobalLine],
  [opcodes.STACK_GLOBAL, pushStackGlobal],
  [opcodes.NEWOBJ, makeInstance],
  [opcodes.REDUCE, callSymbolically],
  [opcodes.BUILD, build],
]

/** Everything that is accepted; what is missing here is refused. */
export const instructions: ReadonlyMap<number, Instruction> = new Map([
  ...control,
  ...scalars,
  ...containers,
  ...instances,
])

function readProtocol(reader: PickleReader): void {
  const protocol = reader.readByte()
  if (protocol > highestProtocol) {
    throw pickleError('P2P_PICKLE_PROTOCOL', `pickle protocol ${protocol} is unknown`, { protocol })
  }
}

function readMemoLine(reader: PickleReader): number {
  const line = reader.readLine()
  if (!/^[0-9]{1,9}$/.test(line)) throw reader.stackError('memo index is not a small number')
  return Number(line)
}

function pushLong(reader: PickleReader, byteCount: number): void {
  const limit = reader.budget.limits.maxIntegerBytes
  if (byteCount > limit) throw limitError('bytes of an integer', { limit, got: byteCount })
  reader.push(decodeInteger(reader.readBytes(byteCount)))
}

function pushFloat(reader: PickleReader, value: number): void {
  const looksLikeInt = Number.isSafeInteger(value) && !Object.is(value, -0)
  reader.push(looksLikeInt ? new PyFloat(value) : value)
}

function decodeFloat64(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0)
}

function pushText(reader: PickleReader, byteCount: number): void {
  reader.push(decodeUtf8(reader.readBytes(byteCount)))
}

function pushBytes(reader: PickleReader, byteCount: number): void {
  reader.push(reader.readBytes(byteCount).slice())
}

function popMany(reader: PickleReader, count: 1 | 2 | 3): unknown[] {
  const items: unknown[] = []
  for (let taken = 0; taken < count; taken += 1) items.unshift(reader.pop())
  return items
}

function pushTuple(reader: PickleReader, items: unknown[]): void {
  // Checked to be plain values by `assertPlainTree` when the pickle ends.
  reader.push(new PyTuple(items as PyValue[]))
}

function appendAll(reader: PickleReader, items: unknown[]): void {
  const list = reader.peek()
  if (!Array.isArray(list)) throw reader.stackError('append to something other than a list')
  for (const item of items) list.push(item)
}

function pushDict(reader: PickleReader): void {
  const items = reader.popToMark()
  reader.push(new Map())
  setItems(reader, items)
}

function setItems(reader: PickleReader, items: unknown[]): void {
  const dict = reader.peek()
  if (!(dict instanceof Map)) throw reader.stackError('items for something other than a dict')
  if (items.length % 2 !== 0) throw reader.stackError('a key without a value')
  for (let index = 0; index < items.length; index += 2) {
    reader.keys.setItem(dict, items[index], items[index + 1])
  }
}

function addItems(reader: PickleReader): void {
  const items = reader.popToMark()
  const set = reader.peek()
  if (!(set instanceof Set)) throw reader.stackError('members for something other than a set')
  for (const item of items) reader.keys.add(set, item)
}

function pushFrozenSet(reader: PickleReader): void {
  const set = new Set<never>()
  for (const item of reader.popToMark()) reader.keys.add(set, item)
  reader.push(new PyFrozenSet(set))
}

function pushGlobalLine(reader: PickleReader): void {
  const module = decodeUtf8(reader.readLineBytes())
  const name = decodeUtf8(reader.readLineBytes())
  reader.push(allowedGlobal(module, name))
}

function pushStackGlobal(reader: PickleReader): void {
  const name = reader.pop()
  const module = reader.pop()
  reader.push(allowedGlobal(module, name))
}

function makeInstance(reader: PickleReader): void {
  const args = reader.pop()
  const callable = reader.pop()
  reader.push(newObject(callable, args, reader))
}

function callSymbolically(reader: PickleReader): void {
  const args = reader.pop()
  const callable = reader.pop()
  reader.push(reduce(callable, args, reader))
}

/** BUILD fills the attributes of a fresh Request; `node` is dropped, any other name refuses the pickle. */
function build(reader: PickleReader): void {
  const attributes = reader.pop()
  const state = reader.takeUnbuilt(reader.peek())
  if (state === undefined || !(attributes instanceof Map)) {
    throw pickleError('P2P_PICKLE_GLOBAL', 'BUILD on something other than a fresh Request')
  }
  for (const [name, value] of attributes) {
    if (name === 'node') continue
    if (!requestAttributes.includes(name)) {
      throw pickleError('P2P_PICKLE_GLOBAL', 'a Request with an attribute that it cannot have')
    }
    state.set(name, value)
  }
}
