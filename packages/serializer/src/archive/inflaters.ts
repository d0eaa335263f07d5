/**
 * bz2 and xz for `decodeFrame(frame, { inflaters: archiveInflaters })`: read, never written, never offered
 * to a peer. A module of its own, so that programs that do not read archives do not carry it.
 */
import type { InflateResult, Inflater } from '../compression.ts'
import { compressionMethods } from '../flags.ts'
import { InflateFailure } from '../inflate-failure.ts'
import { BoundedOutput } from './bounded-output.ts'
import { hasBzip2Mark, readBzip2 } from './bzip2.ts'
import { hasXzMark, readXz } from './xz.ts'

type Reader = (block: Uint8Array, output: BoundedOutput) => void

/**
 * Readers of the methods bz2 (0x10) and lzma (0x12): all that Python's `bz2.compress` and `lzma.compress`
 * write, xz and the older lzma container alike. Checksums inside those formats are passed over: that of
 * the frame covers more.
 *
 * They are bounded as every method is, by `maxInflatedBytes` and `maxInflationRatio`. Both formats shrink
 * repetitive data further than deflate can: raise the ratio to read what you wrote yourself.
 *
 * @example
 * decodeFrame(frame, { inflaters: archiveInflaters, limits: { maxInflationRatio: 10_000 } })
 */
export const archiveInflaters: readonly Inflater[] = [
  { method: compressionMethods.bz2, mayRead: hasBzip2Mark, inflate: bounded(readBzip2) },
  { method: compressionMethods.lzma, mayRead: hasXzMark, inflate: bounded(readXz) },
]

function bounded(read: Reader): (block: Uint8Array, maxBytes: number) => InflateResult {
  return (block, maxBytes) => {
    const output = new BoundedOutput(maxBytes, 4 * block.length)
    try {
      read(block, output)
    } catch (error) {
      if (error instanceof InflateFailure) return { type: error.type }
      throw error
    }
    return { type: 'inflated', bytes: output.finish() }
  }
}
