/**
 * The closed list of names a pickle may mention, and what *we* do where Python would call them.
 *
 * Nothing is ever looked up or called: a name on the list becomes a token, REDUCE and NEWOBJ on a
 * token are a `switch` below, and no token may be left in the result. Besides the Request class
 * these are the names by which CPython writes bytes (protocols 0–2), sets (0–3), bytearrays (0–4)
 * and instances (0–1).
 *
 * Source: fixtures p2py/frames, field `globals`; CPython 3.11 Lib/pickle.py and Lib/copyreg.py.
 */
import type { Budget } from './budget.ts'
import { pickleError } from './errors.ts'
import type { KeyIndex } from './keys.ts'
import { encodeLatin1 } from './text-literals.ts'
import { PyByteArray, PyFrozenSet, type PyRequest, PyTuple } from './values.ts'

export type GlobalName =
  'Request' | 'object' | 'reconstructor' | 'encode' | 'bytes' | 'bytearray' | 'set' | 'frozenset'

/** Stands on the pickle stack where Python would have a class or function. */
export class AllowedGlobal {
  readonly name: GlobalName

  constructor(name: GlobalName) {
    this.name = name
  }
}

/** Module and name, one line feed between, to our name. Python 2 names occur in protocols 0–2. */
const allowed: ReadonlyMap<string, GlobalName> = new Map<string, GlobalName>([
  ['p2py.p2p\nRequest', 'Request'],
  ['copy_reg\n_reconstructor', 'reconstructor'],
  ['copyreg\n_reconstructor', 'reconstructor'],
  ['__builtin__\nobject', 'object'],
  ['builtins\nobject', 'object'],
  ['_codecs\nencode', 'encode'],
  ['__builtin__\nbytes', 'bytes'],
  ['builtins\nbytes', 'bytes'],
  ['__builtin__\nbytearray', 'bytearray'],
  ['builtins\nbytearray', 'bytearray'],
  ['__builtin__\nset', 'set'],
  ['builtins\nset', 'set'],
  ['__builtin__\nfrozenset', 'frozenset'],
  ['builtins\nfrozenset', 'frozenset'],
])

/** Throws P2P_PICKLE_GLOBAL for every name that is not on the list. */
export function allowedGlobal(module: unknown, name: unknown): AllowedGlobal {
  const known =
    typeof module === 'string' && typeof name === 'string'
      ? allowed.get(`${module}\n${name}`)
      : undefined
  if (known === undefined) throw refusedGlobal('names something that is not plain data')
  return new AllowedGlobal(known)
}

/** What a symbolic call may use. */
export interface CallTools {
  readonly budget: Budget
  readonly keys: KeyIndex
  /** An instance without attributes; BUILD gives it some. */
  makeRequest(): PyRequest
}

/** NEWOBJ: only `Request.__new__()`, as protocols 2 to 5 write it. */
export function newObject(callable: unknown, args: unknown, tools: CallTools): PyRequest {
  const isRequest = callable instanceof AllowedGlobal && callable.name === 'Request'
  if (!isRequest || !(args instanceof PyTuple) || args.items.length > 0) {
    throw refusedGlobal('makes an instance of something other than Request')
  }
  return tools.makeRequest()
}

/** REDUCE: what the call that CPython's pickler writes would return; anything else is refused. */
export function reduce(callable: unknown, args: unknown, tools: CallTools): unknown {
  if (!(callable instanceof AllowedGlobal) || !(args instanceof PyTuple)) {
    throw refusedGlobal('calls something')
  }
  // Tokens may stand in argument tuples, so items are unknown here rather than PyValue.
  const items: readonly unknown[] = args.items
  switch (callable.name) {
    case 'reconstructor':
      return reconstruct(items, tools)
    case 'encode':
      return latin1Argument(items, tools.budget)
    case 'bytes':
      if (items.length === 0) return new Uint8Array(0)
      break
    case 'bytearray':
      return new PyByteArray(bytearrayArgument(items, tools.budget))
    case 'set':
      return setArgument(items, tools)
    case 'frozenset':
      return new PyFrozenSet(setArgument(items, tools))
    case 'Request':
    case 'object':
      break
  }
  throw refusedGlobal(`calls ${callable.name} as no pickler does`)
}

function reconstruct(items: readonly unknown[], tools: CallTools): PyRequest {
  const [instanceClass, base, state] = items
  const isRequest =
    items.length === 3 &&
    instanceClass instanceof AllowedGlobal &&
    instanceClass.name === 'Request' &&
    base instanceof AllowedGlobal &&
    base.name === 'object' &&
    state === null
  if (!isRequest) throw refusedGlobal('rebuilds something other than a Request')
  return tools.makeRequest()
}

function latin1Argument(items: readonly unknown[], budget: Budget): Uint8Array {
  const [text, codec] = items
  const isLatin1 = codec === 'latin1' || codec === 'latin-1'
  if (items.length !== 2 || typeof text !== 'string' || !isLatin1) {
    throw refusedGlobal('encodes in a way no pickler does')
  }
  budget.chargeBytes(text.length)
  return encodeLatin1(text)
}

function bytearrayArgument(items: readonly unknown[], budget: Budget): Uint8Array {
  const [first] = items
  if (items.length === 0) return new Uint8Array(0)
  if (items.length === 1 && first instanceof Uint8Array) {
    budget.chargeBytes(first.length)
    return first.slice()
  }
  return latin1Argument(items, budget)
}

function setArgument(items: readonly unknown[], tools: CallTools): Set<never> {
  const [members] = items
  if (items.length !== 1 || !Array.isArray(members)) {
    throw refusedGlobal('makes a set of something other than a list')
  }
  tools.budget.chargeValues(members.length)
  const set = new Set<never>()
  for (const member of members) tools.keys.add(set, member)
  return set
}

function refusedGlobal(what: string): Error {
  return pickleError('P2P_PICKLE_GLOBAL', `a pickle that ${what}`)
}
