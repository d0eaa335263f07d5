/**
 * What one pickle may cost. A pickle is a program, so a short one can ask for much: every number
 * below is checked before memory is taken. A pickle beyond a limit is refused with P2P_PICKLE_LIMIT.
 */
export interface PickleLimits {
  /** Bytes of the pickle, and bytes of all texts and byte strings that its instructions copy. */
  readonly maxPickleBytes: number
  /**
   * Values pushed by instructions, and values met when walking the result with each shared value
   * counted every time it is reachable. So a result can be copied out as a tree.
   */
  readonly maxValues: number
  /** Containers inside containers. CPython's own pickler gives up at about 500. */
  readonly maxDepth: number
  /** Bytes of one integer; 2,048 bytes are 4,931 decimal digits, CPython's parser stops at 4,300. */
  readonly maxIntegerBytes: number
  /**
   * Comparisons of numbers as keys, if all collide: half the square of how many a dict or set has, in all. Whole
   * numbers up to `maxValues` do not count. The default is 4,096 in one dict: 0.02 s, big ones 0.2 s.
   */
  readonly maxKeyCollisions: number
}

export const defaultPickleLimits: PickleLimits = {
  maxPickleBytes: 16 * 1024 * 1024,
  maxValues: 131_072,
  maxDepth: 256,
  maxIntegerBytes: 2048,
  maxKeyCollisions: 2 ** 23,
}

/** Most digits of an integer written as text, as in CPython 3.11 (`sys.int_info`). */
export const maxIntegerDigits = 4300

/**
 * Longest key of a dict or member of a set, written out as text. V8 hashes what is longer by its length alone, so
 * equally long ones collide, and comparing them is slow.
 */
export const maxKeyCharacters = 16_383
