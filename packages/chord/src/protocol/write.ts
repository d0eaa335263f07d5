/**
 * When a write counts as done: at least three of the five tables hold it, each at its owner and at two
 * replicas, or at all holders where there are fewer. Three tables are what a reader needs; three
 * holders in each keep them readable when any two nodes die before the first repair.
 *
 * Source: design of the placement, research on acknowledged writes; spec/chord.md §7 says that the
 * originals acknowledge nothing.
 */
import { majority } from './vote.ts'

/** Holders behind the owner that must have the value. */
export const replicasPerAcknowledgement = 2

export interface TableHolders {
  readonly slotText: string
  /** Node ids, the owner first. */
  readonly holders: readonly string[]
}

export type WriteState = 'pending' | 'acknowledged' | 'failed'

interface TableProgress {
  readonly owner: string | undefined
  readonly required: number
  readonly stored: Set<string>
  readonly waiting: Set<string>
}

export class PendingWrite {
  readonly #tables = new Map<string, TableProgress>()

  constructor(tables: readonly TableHolders[]) {
    for (const { slotText, holders } of tables) {
      const nobody = { owner: undefined, required: 0 }
      this.#tables.set(slotText, { ...nobody, stored: new Set(), waiting: new Set() })
      this.replan(slotText, holders)
    }
  }

  /** `acknowledged` at three safe tables; `failed` as soon as three cannot be reached any more. */
  get state(): WriteState {
    let safe = 0
    let possible = 0
    for (const table of this.#tables.values()) {
      if (isSafe(table)) safe += 1
      else if (canBecomeSafe(table)) possible += 1
    }
    if (safe >= majority) return 'acknowledged'
    return safe + possible >= majority ? 'pending' : 'failed'
  }

  /** A holder has the value. Holders that were not asked count for nothing. */
  handleStored(slotText: string, holder: string): void {
    const table = this.#tables.get(slotText)
    if (table?.waiting.delete(holder) === true) table.stored.add(holder)
  }

  /** A holder refused or is gone. */
  handleFailed(slotText: string, holder: string): void {
    this.#tables.get(slotText)?.waiting.delete(holder)
  }

  /** Others hold the slot than was thought. Returns those that must still be asked. */
  replan(slotText: string, holders: readonly string[]): readonly string[] {
    const table = this.#tables.get(slotText)
    if (table === undefined) return []
    const fresh = holders.filter((id) => !table.stored.has(id) && !table.waiting.has(id))
    for (const id of fresh) table.waiting.add(id)
    const required = Math.min(holders.length, 1 + replicasPerAcknowledgement)
    this.#tables.set(slotText, { ...table, owner: holders[0], required })
    return fresh
  }
}

function isSafe({ owner, stored, required }: TableProgress): boolean {
  return owner !== undefined && stored.has(owner) && stored.size >= required
}

function canBecomeSafe({ owner, stored, waiting, required }: TableProgress): boolean {
  if (owner === undefined) return false
  return (stored.has(owner) || waiting.has(owner)) && stored.size + waiting.size >= required
}
