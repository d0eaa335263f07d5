import type { Random } from './random.ts'

/** One decoder or handler that is fed with random input. */
export interface Target {
  readonly name: string
  /** Bytes that are almost right, mostly. */
  input(random: Random): Uint8Array
  /**
   * Feeds them. Returns when the input was taken or refused as it should be; whatever is thrown is a
   * finding, so expected errors are caught here.
   */
  run(input: Uint8Array): void
}
