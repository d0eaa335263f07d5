/**
 * What one dictionary may take. A write beyond a limit is refused and counted; the link it came over
 * stays. Nodes of one network should use the same limits: where one refuses what another takes, they
 * differ in that key.
 */
export interface ReplicaLimits {
  /** Keys, deleted ones with them. */
  readonly maxKeys: number
  /** Bytes of all keys and of the values of all known writes, overwritten ones with them; no more. */
  readonly maxBytes: number
  /** Bytes of a key and its value together; an old Python node relays no more than about 3 MiB. */
  readonly maxEntryBytes: number
  /**
   * Known writes of one key. They are few unless very many owners want it at once: beyond this the
   * refused ones that stand last are forgotten.
   */
  readonly maxWritesPerKey: number
  /**
   * Seconds a write may be ahead of our clock. Without a bound one write from the year 2100 would
   * hold its key until then. As far as the mesh accepts messages.
   */
  readonly maxAheadSeconds: number
  /**
   * How long a delete is remembered, seconds. A node that was away for longer brings back what was
   * deleted meanwhile; with less than two leases, so may one that was just cut off.
   */
  readonly tombstoneSeconds: number
}

/** Bytes of an owner's id; that of the originals has about 66. As in the peer lists of the mesh. */
export const maxOwnerBytes = 128

export const defaultReplicaLimits: ReplicaLimits = {
  maxKeys: 1_048_576,
  maxBytes: 268_435_456,
  maxEntryBytes: 1_048_576,
  maxWritesPerKey: 256,
  maxAheadSeconds: 600,
  tombstoneSeconds: 7 * 86_400,
}
