/**
 * zlib and gzip by Node: four to seven times as fast as JavaScript for short frames. Loaded when the first
 * block is compressed or inflated, which many programs never do.
 *
 * Node keeps what it inflates until it is beyond the limit, and then it is garbage until the next
 * collection: twenty bombs of 1 MiB in a row cost 106 MiB. So Node gets a low limit first, and a block
 * that is beyond it is counted out, keeping nothing, before Node may inflate it whole.
 */
import type * as zlib from 'node:zlib'
import { plainBytes } from '../bytes.ts'
import type { InflateResult } from '../compression.ts'
import { InflateFailure } from '../inflate-failure.ts'
import { gzipDataStart, zlibDataStart } from './deflated-data.ts'
import { inflatedLength, likelyRatio } from './inflate.ts'

/** A block that inflates to no more is never counted out. */
const uncountedBytes = 2_097_152

let loaded: typeof zlib | undefined
const nodeZlib = (): typeof zlib => (loaded ??= process.getBuiltinModule('node:zlib'))

export function compressZlib(block: Uint8Array): Uint8Array {
  return plainBytes(nodeZlib().deflateSync(block))
}

export function compressGzip(block: Uint8Array): Uint8Array {
  return plainBytes(nodeZlib().gzipSync(block))
}

/** Inflates to at most `maxBytes`; a stream that is cut or damaged is invalid. */
export function inflateZlib(block: Uint8Array, maxBytes: number): InflateResult {
  return inflate(block, maxBytes, zlibDataStart, (options) =>
    nodeZlib().inflateSync(block, options),
  )
}

/** As `inflateZlib`, for gzip. */
export function inflateGzip(block: Uint8Array, maxBytes: number): InflateResult {
  return inflate(block, maxBytes, gzipDataStart, (options) => nodeZlib().gunzipSync(block, options))
}

function inflate(
  block: Uint8Array,
  maxBytes: number,
  dataStart: (block: Uint8Array) => number,
  run: (options: zlib.ZlibOptions) => Uint8Array,
): InflateResult {
  const unseenBytes = Math.max(uncountedBytes, likelyRatio * block.length)
  const result = bounded(run, Math.min(maxBytes, unseenBytes))
  if (result.type !== 'too-large' || unseenBytes >= maxBytes) return result
  try {
    return bounded(run, inflatedLength(block.subarray(dataStart(block)), maxBytes))
  } catch (error) {
    if (error instanceof InflateFailure) return { type: error.type }
    throw error
  }
}

function bounded(
  run: (options: zlib.ZlibOptions) => Uint8Array,
  maxOutputLength: number,
): InflateResult {
  try {
    const bytes = run({ maxOutputLength: Math.max(1, maxOutputLength) })
    return { type: 'inflated', bytes: plainBytes(bytes) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return { type: code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'invalid' }
  }
}
