/**
 * How recorded frames are read: with the methods of py2p that no node of ours offers, bz2 and lzma, too.
 * Those shrink a repeated byte by thousands, and vectors with long repetitions are recorded.
 */
import { decodableMethods } from '@p2p/serializer'
import type { DecodeFrameOptions } from '@p2p/serializer'
import { archiveInflaters } from '@p2p/serializer/archive'

export const archiveReading: DecodeFrameOptions = {
  inflaters: archiveInflaters,
  limits: { maxInflationRatio: 10_000 },
}

/** Methods that only archives are read with. */
export const archiveMethods: readonly number[] = archiveInflaters.map(({ method }) => method)

/** Methods whose frames can be checked. */
export const readMethods: readonly number[] = [...decodableMethods, ...archiveMethods]
