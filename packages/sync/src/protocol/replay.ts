/**
 * The state of a key as a pure function of the set of writes that are known of it.
 *
 * The writes are gone through in their order. A write takes the key when it is free (never written, or
 * deleted), when its own author holds it, or when it is stamped more than a lease after the holder's
 * last accepted write; otherwise it is refused. Without leases every write is accepted in turn, which
 * is last-writer-wins. No clock of this node enters, nor the order of arrival: two nodes that know the
 * same writes agree, whatever they went through.
 *
 * A rule on pairs ("the lease beats the newer one") could not do this: writes at 0, 3,000 and 4,000
 * seconds by three owners would beat each other in a circle.
 *
 * Source: design.md §6; the acceptance rule it replaces: spec/sync.md §4.
 */
import { isMapping, mergeMappings, readFields } from './delta.ts'
import { isValueOf } from './records.ts'
import { covers } from './write.ts'
import type { Write } from './write.ts'

export interface Rule {
  /** False is last-writer-wins. Nodes with different settings never meet: it is part of the subnet. */
  readonly leasing: boolean
  /** How long a write keeps the key for its author, in seconds; 3,600 in every 0.7 network. */
  readonly leaseSeconds: number
  /** A value that deltas make larger is left without them; default none. */
  readonly maxEntryBytes?: number
}

export interface KeyState {
  /** The last accepted write: who holds the key and since when. Undefined when there is none. */
  readonly holder: Write | undefined
  /** The msgpack value; undefined when the key is absent or deleted. */
  readonly value: Uint8Array | undefined
  /** The writes the value is made of: one set or delete, or none, and the deltas after it. */
  readonly parts: readonly Write[]
}

export const absent: KeyState = { holder: undefined, value: undefined, parts: [] }

/**
 * @param writes in their order, each once
 * @param refused takes those that did not get the key
 */
export function replay(writes: readonly Write[], rule: Rule, refused?: Set<Write>): KeyState {
  let holder: Write | undefined
  let parts: Write[] = []
  for (const write of writes) {
    if (holder !== undefined && !mayTake(write, holder, rule)) {
      refused?.add(write)
      continue
    }
    const [first] = parts
    if (write.kind !== 'delta' || first?.kind === 'delete') parts = []
    else if (first !== undefined && !isMapping(first.value)) {
      refused?.add(write)
      continue
    }
    parts.push(write)
    holder = write
  }
  return stateOf(holder, parts, rule)
}

function stateOf(holder: Write | undefined, parts: readonly Write[], rule: Rule): KeyState {
  const [first] = parts
  if (first === undefined || first.kind === 'delete') return { holder, value: undefined, parts }
  if (first === holder && first.kind === 'set') return { holder, value: first.value, parts }
  const value = mergeMappings(parts.map((part) => part.value))
  // Deltas that are taken one by one may make together what no node takes or reads.
  const isTaken =
    parts.length === 1 ||
    (value.length <= (rule.maxEntryBytes ?? Infinity) && isValueOf('set', value))
  return isTaken ? { holder, value, parts } : { holder, value: first.value, parts: [first] }
}

/** True when `write`, coming after `holder` in order, may replace it. */
export function mayTake(write: Write, holder: Write, rule: Rule): boolean {
  return (
    !rule.leasing ||
    holder.kind === 'delete' ||
    holder.owner === write.owner ||
    write.time - holder.time > rule.leaseSeconds
  )
}

/**
 * The writes that lost without anybody having known them: not covered by another write, and not, or
 * not wholly, part of the state.
 *
 * @param suspects those to judge
 */
export function lostWrites(
  writes: readonly Write[],
  { parts }: KeyState,
  suspects: readonly Write[] = writes,
): readonly Write[] {
  const surviving = new Set<Write>()
  const later = new Set<string>()
  for (const part of parts.toReversed()) {
    const names = parts.length < 2 ? [] : [...readFields(part.value).keys()]
    if (!names.some((name) => later.has(name))) surviving.add(part)
    for (const name of names) later.add(name)
  }
  return suspects.filter(
    (write) =>
      !surviving.has(write) && !writes.some((other) => other !== write && covers(other, write)),
  )
}
