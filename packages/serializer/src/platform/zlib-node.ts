/**
 * zlib and gzip by Node: four to seven times as fast as JavaScript for short frames. Loaded when the first
 * block is compressed or inflated, which many programs never do.
 */
import type * as zlib from 'node:zlib'
import { plainBytes } from '../bytes.ts'
import type { InflateResult } from '../compression.ts'

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
  return bounded(() => nodeZlib().inflateSync(block, { maxOutputLength: Math.max(1, maxBytes) }))
}

/** As `inflateZlib`, for gzip. */
export function inflateGzip(block: Uint8Array, maxBytes: number): InflateResult {
  return bounded(() => nodeZlib().gunzipSync(block, { maxOutputLength: Math.max(1, maxBytes) }))
}

function bounded(inflate: () => Uint8Array): InflateResult {
  try {
    return { type: 'inflated', bytes: plainBytes(inflate()) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return { type: code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'invalid' }
  }
}
