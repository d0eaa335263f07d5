/**
 * Which compression a link uses. Source: spec/wire.md §6.
 */
import { compressionMethods } from './flags.ts'
import type { Value } from './value.ts'

/** What we offer in handshakes: what we can read and write everywhere, best first, each once. */
export const offeredMethods: readonly number[] = [compressionMethods.zlib, compressionMethods.gzip]

/**
 * The method to send with: the first of ours that the other end listed too; undefined for none.
 * The order of their list does not matter.
 */
export function negotiate(ours: readonly number[], theirs: readonly Value[]): number | undefined {
  return ours.find((method) => theirs.includes(method))
}

/**
 * What stands in every list, in the order of the first, as py2p computes it: repeated entries of the
 * first list stay. The answer to a renegotiation is made with it.
 */
export function intersect<T>(first: readonly T[], ...others: readonly (readonly T[])[]): T[] {
  return first.filter((entry) => others.every((list) => list.includes(entry)))
}
