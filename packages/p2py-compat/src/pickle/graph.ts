/**
 * The last check of a finished pickle: what it left on the stack is a tree of plain values.
 *
 * Values may be shared (a list that occurs twice is one array here, as in Python), but they must not
 * contain themselves, must not nest too deep, and counted with every repetition must stay below
 * `maxValues`: ten lists of ten references, ten levels high, fit into 240 bytes and have 10^10
 * leaves. Walks with an own stack and visits each container once.
 */
import { limitError } from './budget.ts'
import { pickleError } from './errors.ts'
import type { PickleLimits } from './limits.ts'
import { PyByteArray, PyFloat, PyFrozenSet, PyRequest, PyTuple, type PyValue } from './values.ts'

interface Extent {
  readonly values: number
  readonly depth: number
}

interface Visit {
  readonly container: object
  readonly children: Iterator<unknown>
  values: number
  depth: number
}

/** Throws P2P_PICKLE_CYCLE, P2P_PICKLE_LIMIT or P2P_PICKLE_GLOBAL. */
export function assertPlainTree(root: unknown, limits: PickleLimits): asserts root is PyValue {
  const finished = new Map<object, Extent>()
  const open = new Set<object>()
  const visits: Visit[] = []

  const enter = (container: object): void => {
    if (open.has(container)) {
      throw pickleError('P2P_PICKLE_CYCLE', 'a pickled value contains itself')
    }
    if (visits.length >= limits.maxDepth) {
      throw limitError('levels', { limit: limits.maxDepth, got: visits.length + 1 })
    }
    open.add(container)
    visits.push({ container, children: childrenOf(container), values: 1, depth: 1 })
  }
  const count = (visit: Visit, extent: Extent): void => {
    visit.values += extent.values
    visit.depth = Math.max(visit.depth, extent.depth + 1)
    if (visit.values > limits.maxValues) {
      throw limitError('values', { limit: limits.maxValues, got: visit.values })
    }
    if (visit.depth > limits.maxDepth) {
      throw limitError('levels', { limit: limits.maxDepth, got: visit.depth })
    }
  }

  if (!isLeaf(root)) enter(root)
  for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
    const next = visit.children.next()
    if (next.done === true) {
      visits.pop()
      open.delete(visit.container)
      finished.set(visit.container, visit)
      const parent = visits.at(-1)
      if (parent !== undefined) count(parent, visit)
    } else if (isLeaf(next.value)) {
      count(visit, { values: 1, depth: 0 })
    } else {
      const known = finished.get(next.value)
      if (known === undefined) enter(next.value)
      else count(visit, known)
    }
  }
}

function isLeaf(value: unknown): value is Exclude<unknown, object> {
  return (
    typeof value !== 'object' ||
    value === null ||
    value instanceof Uint8Array ||
    value instanceof PyFloat ||
    value instanceof PyByteArray
  )
}

function childrenOf(container: unknown): Iterator<unknown> {
  if (Array.isArray(container)) return container.values()
  if (container instanceof PyTuple) return container.items.values()
  if (container instanceof PyFrozenSet) return container.items.values()
  if (container instanceof Set) return container.values()
  if (container instanceof Map) return keysAndValues(container)
  if (container instanceof PyRequest) return keysAndValues(container.state)
  throw pickleError('P2P_PICKLE_GLOBAL', 'a pickle leaves a class or function in its result')
}

function* keysAndValues(map: ReadonlyMap<unknown, unknown>): Generator<unknown> {
  for (const [key, value] of map) {
    yield key
    yield value
  }
}
