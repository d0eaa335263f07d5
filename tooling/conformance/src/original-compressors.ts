/**
 * The compressors of the original programs. With them frames of which a recording has only the digest are
 * rebuilt, byte for byte, and bombs are made in formats that we do not write.
 *
 * zlib, gzip, bz2 and lzma are Python's own modules, as py2p calls them, where a Python 3 is found.
 */
import { spawnSync } from 'node:child_process'
import { referenceSnappy } from './reference-snappy.ts'
import { sha256Hex } from './recorded-bytes.ts'
import type { BytesDigest } from './recorded-bytes.ts'

const script = `
import bz2, lzma, sys, zlib
method = sys.argv[1]
packer = (
    zlib.compressobj() if method == 'zlib'
    else zlib.compressobj(-1, zlib.DEFLATED, 31) if method == 'gzip'
    else bz2.BZ2Compressor() if method == 'bz2'
    else lzma.LZMACompressor()
)
source, target = sys.stdin.buffer, sys.stdout.buffer
while chunk := source.read(1 << 20):
    target.write(packer.compress(chunk))
target.write(packer.flush())
`
const pythonMethods: readonly string[] = ['zlib', 'gzip', 'bz2', 'lzma']
const pythons = process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']
const maxBuffer = 64 * 1024 * 1024

/** What the originals make of these bytes; or why that cannot be told here. */
export function compressAsOriginal(bytes: Uint8Array, method: string): Uint8Array | string {
  if (method === 'snappy') return referenceSnappy(bytes)
  if (!pythonMethods.includes(method)) return `no original compressor for ${method}`
  for (const python of pythons) {
    const args = ['-c', script, method]
    const { status, stdout } = spawnSync(python, args, { input: bytes, maxBuffer })
    if (status === 0) return new Uint8Array(stdout)
  }
  return `no Python 3 with ${method} found, so the frame cannot be made`
}

/** The frame that was recorded as a digest; or why it cannot be rebuilt. */
export function rebuildFrame(
  plainBlock: Uint8Array,
  method: string,
  recorded: BytesDigest,
): Uint8Array | string {
  const block = compressAsOriginal(plainBlock, method)
  if (typeof block === 'string') return block
  const frame = frameAround(block)
  if (sha256Hex(frame) === recorded.sha256) return frame
  return `only a digest of the frame was recorded, and the ${method} found here writes other bytes`
}

export function frameAround(block: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + block.length)
  new DataView(frame.buffer).setUint32(0, block.length)
  frame.set(block, 4)
  return frame
}
