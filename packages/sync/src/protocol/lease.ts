/**
 * Leases as the application of this node meets them: who holds a key, and whether a write of its own
 * may go out. Here, and only here, the local clock has a say; what the network settles on is the
 * business of replay.ts.
 *
 * Source: spec/sync.md §4 and §6.
 */
import { P2pError } from '@p2p/base'
import { byteTextToText } from './byte-text.ts'
import type { ByteText } from './byte-text.ts'
import type { Rule } from './replay.ts'
import type { Write } from './write.ts'

/** Seconds for which a write keeps the key for its author, in every 0.7 network. */
export const leaseSeconds = 3_600

export interface Lease {
  /** Node id of the holder. */
  readonly owner: string
  /** UTC seconds; from then on anybody may write the key. */
  readonly expiresAtSeconds: number
}

/** A write of ours was refused because somebody else holds the key. Nothing was changed or sent. */
export class LeaseError extends P2pError {
  readonly owner: string
  /** Seconds until the lease runs out, if it is not renewed. */
  readonly remainingSeconds: number

  constructor(lease: Lease, utcSeconds: number) {
    const remainingSeconds = Math.max(0, lease.expiresAtSeconds - utcSeconds)
    super(
      'P2P_LEASE_HELD',
      `the key is leased by ${lease.owner} for another ${Math.ceil(remainingSeconds)} s`,
      { facts: { owner: lease.owner, remainingSeconds } },
    )
    this.owner = lease.owner
    this.remainingSeconds = remainingSeconds
  }
}

/** The lease on a key whose last accepted write is `holder`; undefined when it is free. */
export function currentLease(
  holder: Write | undefined,
  rule: Rule,
  utcSeconds: number,
): Lease | undefined {
  if (holder === undefined || !rule.leasing || holder.kind === 'delete') return undefined
  const expiresAtSeconds = holder.time + rule.leaseSeconds + 1
  if (Math.floor(utcSeconds) >= expiresAtSeconds) return undefined
  return { owner: ownerText(holder.owner), expiresAtSeconds }
}

/** Node ids are base58 text; anything else a peer may have sent is shown as well as can be. */
export function ownerText(owner: ByteText): string {
  const text = byteTextToText(owner)
  return typeof text === 'string' ? text : owner
}

/** Who wrote and when, as it stands in a message: what the originals keep for each key. */
export interface Stamp {
  readonly owner: ByteText
  readonly time: number
}

/**
 * The decision of the originals: may a change that arrives now replace what is there? Used to predict
 * what an old neighbour does with a message.
 *
 * @param change.isDelta without leases a delta is always taken
 */
export function originalAccepts(
  held: Stamp | undefined,
  change: Stamp & { readonly isDelta: boolean },
  rule: Rule,
  utcSeconds: number,
): boolean {
  return (
    held === undefined ||
    held.owner === change.owner ||
    held.time < utcSeconds - rule.leaseSeconds ||
    (held.time === change.time && held.owner > change.owner) ||
    (!rule.leasing && (change.isDelta || held.time < change.time))
  )
}
