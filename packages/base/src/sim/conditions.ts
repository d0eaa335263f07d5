/**
 * What the simulated network is like when nothing is broken on purpose. Times are milliseconds,
 * sizes bytes. All of it may be changed while a simulation runs; new values hold from then on.
 */
export interface NetworkConditions {
  /** One-way latency, drawn once for each link between these two; both directions have the same. */
  readonly minLatencyMs: number
  readonly maxLatencyMs: number
  /** Up to this much is added to each write. Order is kept: a stream never overtakes itself. */
  readonly jitterMs: number
  /** How often a write is cut into two to four pieces at random places that arrive one by one. */
  readonly splitChance: number
  /** Unread bytes that the network takes for one direction before the sender's queue fills. */
  readonly windowBytes: number
  /** The most one input of bytes can hold, as one read of a socket. */
  readonly readBytes: number
  /** How often a dial is refused although somebody listens. */
  readonly refuseChance: number
  /** How often a dial is never answered. */
  readonly silenceChance: number
  /** What becomes of a dial to an address where nobody ever listened. */
  readonly unknownAddress: 'refused' | 'silent'
  /** How long a closed link may take to flush what was sent before. */
  readonly lingerMs: number
}

/** Latencies of one continent, a stream that is cut now and then, and dials that work. */
export const defaultConditions: NetworkConditions = {
  minLatencyMs: 10,
  maxLatencyMs: 100,
  jitterMs: 0,
  splitChance: 0.05,
  windowBytes: 262_144,
  readBytes: 65_536,
  refuseChance: 0,
  silenceChance: 0,
  unknownAddress: 'refused',
  lingerMs: 5_000,
}

/** The defaults with the given ones put over them. Throws a RangeError for impossible ones. */
export function createConditions(changes: Partial<NetworkConditions> = {}): NetworkConditions {
  const conditions = { ...defaultConditions, ...changes }
  const { minLatencyMs, maxLatencyMs, windowBytes, readBytes } = conditions
  if (minLatencyMs < 0 || maxLatencyMs < minLatencyMs) {
    throw new RangeError(`latencies from ${minLatencyMs} to ${maxLatencyMs} ms are impossible`)
  }
  if (windowBytes < 1 || readBytes < 1) throw new RangeError('a window holds at least one byte')
  return conditions
}
