/**
 * When a write counts as done: at least three of the five tables hold it, each at its owner and at two
 * replicas, or at all holders where there are fewer. Three tables are what a reader needs; three
 * holders in each keep them readable when any two nodes die before the first repair. Where some have no room
 * or do not answer, and nobody can stand in for them, the others will do, but never one alone: what only one
 * node has is gone with it.
 *
 * Source: design of the placement, research on acknowledged writes; spec/chord.md §7 says that the
 * originals acknowledge nothing.
 */
import { majority } from './vote.ts'

/** Holders behind the owner that must have the value. */
export const replicasPerAcknowledgement = 2
/** Whatever fails, so many must have it, where so many store. */
export const leastHolders = 2

export interface TableHolders {
  /** Name of the slot. */
  readonly name: string
  /** Node ids, the owner first. */
  readonly holders: readonly string[]
  /** How many would hold the slot if all answered. */
  readonly wanted: number
}

export type WriteState = 'pending' | 'acknowledged' | 'failed'

/** A handful of holders each: lists, because sets cost more to make than to search. */
interface TableProgress {
  readonly name: string
  owner: string | undefined
  required: number
  readonly stored: string[]
  readonly waiting: string[]
  readonly failed: string[]
}

export class PendingWrite {
  readonly #tables: readonly TableProgress[]

  constructor(tables: readonly TableHolders[]) {
    this.#tables = tables.map(({ name }) => ({
      name,
      owner: undefined,
      required: 0,
      stored: [],
      waiting: [],
      failed: [],
    }))
    for (const table of tables) this.replan(table)
  }

  /** `acknowledged` at three safe tables; `failed` as soon as three cannot be reached any more. */
  get state(): WriteState {
    let [safe, open] = [0, 0]
    for (const table of this.#tables) {
      if (isSafe(table)) safe += 1
      else if (canBecomeSafe(table)) open += 1
    }
    if (safe >= majority) return 'acknowledged'
    return safe + open >= majority ? 'pending' : 'failed'
  }

  /**
   * A holder has the value; or it refused or is gone, and is not asked again. False when it was not asked, or has
   * answered: that counts for nothing.
   */
  settle(name: string, holder: string, as: 'stored' | 'failed'): boolean {
    const table = this.#find(name)
    const at = table?.waiting.indexOf(holder) ?? -1
    if (at < 0) return false
    table?.[as].push(...table.waiting.splice(at, 1))
    return true
  }

  /** Others hold the slot than was thought. Returns those that must still be asked. */
  replan({ name, holders: all, wanted }: TableHolders): readonly string[] {
    const table = this.#find(name)
    if (table === undefined) return []
    const { stored, waiting, failed } = table
    const holders = all.filter((id) => !failed.includes(id))
    const fresh = holders.filter((id) => !stored.includes(id) && !waiting.includes(id))
    waiting.push(...fresh)
    table.owner = holders[0]
    const reachable = Math.min(holders.length, 1 + replicasPerAcknowledgement)
    table.required = Math.max(reachable, Math.min(wanted, leastHolders))
    return fresh
  }

  isOwner(name: string, holder: string): boolean {
    return this.#find(name)?.owner === holder
  }

  #find(name: string): TableProgress | undefined {
    return this.#tables.find((table) => table.name === name)
  }
}

function isSafe({ owner, stored, required }: TableProgress): boolean {
  return owner !== undefined && stored.length >= required && stored.includes(owner)
}

function canBecomeSafe({ owner, stored, waiting, required }: TableProgress): boolean {
  if (owner === undefined) return false
  const isOwnerThere = stored.includes(owner) || waiting.includes(owner)
  return isOwnerThere && stored.length + waiting.length >= required
}
