/**
 * What one frame may cost. Everything here is checked before memory is taken.
 *
 * Each is an option of the function it concerns; the defaults stand in design.md §8.
 */
export interface Limits {
  /** Bytes of one frame without its four length bytes; default 16 MiB. */
  readonly maxFrameBytes: number
  /** Bytes of one block after inflating; default 32 MiB. */
  readonly maxInflatedBytes: number
  /** Inflated bytes per compressed byte; default 1,100. Deflate itself ends at 1,032. */
  readonly maxInflationRatio: number
  /** Arrays and maps inside each other; default 64, at most 512. */
  readonly maxDepth: number
  /**
   * Values in one message, counting every element, key and entry; default 262,144. A byte can be an empty
   * array or map, which JavaScript keeps in a hundred.
   */
  readonly maxValues: number
}

/** The limits that hold when nothing else is said. */
export const defaultLimits: Limits = {
  maxFrameBytes: 16 * 1024 * 1024,
  maxInflatedBytes: 32 * 1024 * 1024,
  maxInflationRatio: 1_100,
  maxDepth: 64,
  maxValues: 262_144,
}

/**
 * Values around the one that a message carries: not counted, and neither is the array of the message as a level, so
 * that a value which fits by itself fits into a message.
 */
export const sparedValues = 16

const limitNames = [
  'maxFrameBytes',
  'maxInflatedBytes',
  'maxInflationRatio',
  'maxDepth',
  'maxValues',
] as const satisfies readonly (keyof Limits)[]

/** Nesting a caller may ask for at most: keeps recursion far from the end of any JavaScript stack. */
export const largestMaxDepth = 512

/** Results by the object that was given: a link passes the same one with every frame. */
const resolvedByGiven = new WeakMap<Partial<Limits>, Limits>()

/** Fills what is missing with the defaults. */
export function resolveLimits(limits: Partial<Limits> | undefined): Limits {
  if (limits === undefined) return defaultLimits
  const known = resolvedByGiven.get(limits)
  if (known !== undefined) return known
  const resolved = { ...defaultLimits }
  for (const name of limitNames) {
    const limit = limits[name] ?? defaultLimits[name]
    if (!(limit >= 0)) throw new RangeError(`${name} ${limit} is no limit`)
    resolved[name] = limit
  }
  if (resolved.maxDepth > largestMaxDepth) {
    throw new RangeError(`maxDepth ${resolved.maxDepth} is outside 0…${largestMaxDepth}`)
  }
  resolvedByGiven.set(limits, resolved)
  return resolved
}
