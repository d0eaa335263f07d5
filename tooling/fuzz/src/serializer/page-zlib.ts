/**
 * zlib as a page loads it. Node never loads that module by itself, and it has no entry point, so it is
 * taken from where the package was built.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { InflateResult } from '@p2p/serializer'

interface PageZlib {
  inflateZlib(block: Uint8Array, maxBytes: number): InflateResult
  inflateGzip(block: Uint8Array, maxBytes: number): InflateResult
}

const manifest = createRequire(import.meta.url).resolve('@p2p/serializer/package.json')
const module = join(dirname(manifest), 'dist', 'platform', 'zlib-portable.js')

export const pageZlib: PageZlib = (await import(pathToFileURL(module).href)) as PageZlib
