/** Where keys lie and what a node keeps, for people who look into a network. */
import { decodeValue } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { hashTables, slotsOf } from './hash-tables.ts'
import type { HashTable } from './hash-tables.ts'
import { positionDigits } from './ring.ts'
import type { SlotStore } from './slot-store.ts'
import type { StoringNodes } from './storing-nodes.ts'

export interface Place {
  readonly table: HashTable
  /** Place on the ring, 96 hexadecimal digits. */
  readonly position: string
  /** The node that owns it; undefined when nobody is known to store. */
  readonly owner: string | undefined
  /** Who should hold it, the owner first. */
  readonly holders: readonly string[]
  /** Links on the way to the owner: 0 for this node itself. */
  readonly hops: number
}

/** The five places of a key and their holders, `count` for each. */
export function placesOf(
  key: Uint8Array,
  ring: { readonly nodes: StoringNodes; readonly ownId: string; readonly count: number },
): readonly Place[] {
  return slotsOf(key).map(({ table, position }) => {
    const holders = ring.nodes.holdersOf(position, ring.count).map(({ id }) => id)
    const [owner] = holders
    const hops = owner === undefined || owner === ring.ownId ? 0 : 1
    return { table, position: positionDigits(position), owner, holders, hops }
  })
}

/** What is kept, by table: place in hexadecimal digits, and value. */
export function storedByTable(
  slots: SlotStore,
): ReadonlyMap<HashTable, readonly (readonly [position: string, value: Value])[]> {
  const tables = new Map<HashTable, [string, Value][]>(hashTables.map((table) => [table, []]))
  for (const { table, position, value } of slots.values()) {
    tables.get(table)?.push([positionDigits(position), decodeValue(value)])
  }
  return tables
}
