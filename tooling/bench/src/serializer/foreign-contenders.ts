/**
 * Others, each used the way its documentation shows: js2p's own message class, and the two usual
 * msgpack packages with a digest and a concatenation around them.
 */
import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureForeign } from '@p2p/foreign'
import type { WireFields } from './cases.ts'
import type { Contender } from './contender.ts'

type Digest = (bytes: Uint8Array) => Uint8Array

interface Js2pMessage {
  readonly string: Uint8Array
  readonly payload: readonly unknown[]
}
interface Js2pMessageClass {
  new (
    type: number,
    sender: string,
    payload: readonly unknown[],
    compression: readonly number[],
    time: number,
  ): Js2pMessage
  feed_string(frame: Uint8Array, sizeless: boolean, compression: readonly number[]): Js2pMessage
}

const nodeDigest: Digest = (bytes) => hash('sha256', bytes, 'buffer')

/** Installs them when needed, and loads them. */
export async function foreignContenders(): Promise<readonly Contender[]> {
  const modules = await ensureForeign()
  const require = createRequire(pathToFileURL(join(modules, 'index.js')))
  const msgpackr = require('msgpackr') as {
    pack(value: unknown): Uint8Array
    unpack(bytes: Uint8Array): unknown[]
  }
  const msgpack = require('@msgpack/msgpack') as {
    encode(value: unknown): Uint8Array
    decode(bytes: Uint8Array): unknown
  }
  const noble = (await import(
    pathToFileURL(join(modules, '@noble', 'hashes', 'sha2.js')).href
  )) as { readonly sha256: Digest }
  return [
    js2p(require),
    composition('msgpackr', msgpackr.pack, msgpackr.unpack, nodeDigest),
    composition('@msgpack/msgpack', msgpack.encode, msgpack.decode, noble.sha256),
  ]
}

function js2p(require: NodeJS.Require): Contender {
  const { base } = quietly(
    () => require('js2p') as { readonly base: { readonly InternalMessage: Js2pMessageClass } },
  )
  const { InternalMessage } = base
  return {
    name: 'js2p',
    takes: 'Buffer',
    encode: ({ type, sender, time, payload }) =>
      new InternalMessage(type, sender, payload.map(asBuffer), [], time).string,
    decode: (frame) => InternalMessage.feed_string(frame, false, []).payload[1],
  }
}

/** js2p prints warnings while it is loaded; they do not belong on our stdout. */
function quietly<T>(load: () => T): T {
  const write = process.stdout.write
  process.stdout.write = () => true
  try {
    return load()
  } finally {
    process.stdout.write = write
  }
}

/** js2p knows byte strings as Buffers only. */
function asBuffer(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.length)
}

function composition(
  name: string,
  encode: (value: unknown) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
  digest: Digest,
): Contender {
  return {
    name,
    takes: 'Uint8Array',
    encode({ type, sender, time, payload }: WireFields) {
      const body = encode([type, sender, time, ...payload])
      const header = Buffer.alloc(4)
      header.writeUInt32BE(32 + body.length)
      return Buffer.concat([header, digest(body), body])
    },
    decode(frame) {
      const body = frame.subarray(36)
      if (!sameBytes(digest(body), frame.subarray(4, 36))) throw new Error('checksum')
      return (decode(body) as unknown[])[4]
    },
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) if (a[i] !== b[i]) return false
  return true
}
