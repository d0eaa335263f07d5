/**
 * Tells by its first bytes that a block is compressed by a method of py2p that we neither offer nor read:
 * bz2, xz, and the older lzma container. No peer sends those to a node that does not offer them.
 */
import { compressionMethods, decodableMethods } from '@p2p/serializer'

const marks: readonly { readonly name: string; readonly method: number; readonly hex: string }[] = [
  { name: 'bz2', method: compressionMethods.bz2, hex: '425a68' },
  { name: 'lzma', method: compressionMethods.lzma, hex: 'fd377a585a00' },
  { name: 'lzma', method: compressionMethods.lzma, hex: '5d0000' },
]

/** Name of the method that a frame seems to be compressed with and that we do not read. */
export function foreignMethod(frame: Uint8Array): string | undefined {
  const start = Buffer.from(frame.subarray(4, 16)).toString('hex')
  const mark = marks.find(({ hex }) => start.startsWith(hex))
  return mark === undefined || decodableMethods.includes(mark.method) ? undefined : mark.name
}
