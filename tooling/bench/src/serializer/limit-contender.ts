/**
 * What is left of the work when nothing is checked: the shortest msgpack writer and reader that know only
 * the kinds of the benchmark, Node's one-shot digest in its cheapest form, and one copy into a pooled
 * buffer. Not usable on a network: no limits, no UTF-8 check, no duplicate keys, no wide integers.
 */
import { hash } from 'node:crypto'
import type { WireFields } from './cases.ts'
import type { Contender } from './contender.ts'

const scratch = Buffer.alloc(256 * 1024)
let at = 0

function write(value: unknown): void {
  if (typeof value === 'number') {
    if (Number.isInteger(value)) writeInteger(value)
    else {
      scratch[at] = 0xcb
      at = scratch.writeDoubleBE(value, at + 1)
    }
  } else if (typeof value === 'string') writeText(value)
  else if (typeof value === 'boolean') scratch[at++] = value ? 0xc3 : 0xc2
  else if (value instanceof Uint8Array) writeBytes(value)
  else {
    const map = value as Record<string, unknown>
    const keys = Object.keys(map)
    scratch[at++] = 0xde
    scratch[at++] = keys.length >> 8
    scratch[at++] = keys.length
    for (const key of keys) {
      writeText(key)
      write(map[key])
    }
  }
}

function writeInteger(value: number): void {
  if (value < 0x80) scratch[at++] = value
  else if (value < 0x1_0000) {
    scratch[at++] = 0xcd
    scratch[at++] = value >> 8
    scratch[at++] = value
  } else {
    scratch[at] = 0xce
    at = scratch.writeUInt32BE(value, at + 1)
  }
}

function writeText(text: string): void {
  const length = text.length
  if (length < 0x20) scratch[at++] = 0xa0 | length
  else {
    scratch[at++] = 0xd9
    scratch[at++] = length
  }
  if (length <= 12) for (let i = 0; i < length; i++) scratch[at++] = text.charCodeAt(i)
  else at += scratch.write(text, at, 'latin1')
}

function writeBytes(bytes: Uint8Array): void {
  const length = bytes.length
  if (length < 0x100) scratch[at++] = 0xc4
  else if (length < 0x1_0000) {
    scratch[at++] = 0xc5
    scratch[at++] = length >> 8
  } else {
    scratch[at++] = 0xc6
    scratch[at++] = length >> 24
    scratch[at++] = length >> 16
    scratch[at++] = length >> 8
  }
  scratch[at++] = length
  scratch.set(bytes, at)
  at += length
}

function encode({ type, sender, time, payload }: WireFields): Uint8Array {
  at = 36
  scratch[at++] = 0x90 | (3 + payload.length)
  write(type)
  write(sender)
  write(time)
  for (const value of payload) write(value)
  scratch.writeUInt32BE(at - 4, 0)
  const digest = hash('sha256', scratch.subarray(36, at), 'binary')
  for (let i = 0; i < 32; i++) scratch[4 + i] = digest.charCodeAt(i)
  const frame = Buffer.allocUnsafe(at)
  frame.set(scratch.subarray(0, at))
  return frame
}

function read(bytes: Buffer): unknown {
  const tag = bytes[at++] ?? 0
  if (tag < 0x80) return tag
  if (tag >= 0xa0 && tag < 0xc0) return readText(bytes, tag & 0x1f)
  switch (tag) {
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xc4:
      return readBytes(bytes, bytes[at++] ?? 0)
    case 0xc5:
      return readBytes(bytes, bytes.readUInt16BE((at += 2) - 2))
    case 0xc6:
      return readBytes(bytes, bytes.readUInt32BE((at += 4) - 4))
    case 0xcb:
      return bytes.readDoubleBE((at += 8) - 8)
    case 0xcd:
      return bytes.readUInt16BE((at += 2) - 2)
    case 0xce:
      return bytes.readUInt32BE((at += 4) - 4)
    case 0xd9:
      return readText(bytes, bytes[at++] ?? 0)
    default:
      return readMap(bytes, bytes.readUInt16BE((at += 2) - 2))
  }
}

function readText(bytes: Buffer, length: number): string {
  at += length
  return bytes.toString('latin1', at - length, at)
}

function readBytes(bytes: Buffer, length: number): Uint8Array {
  at += length
  return bytes.subarray(at - length, at)
}

function readMap(bytes: Buffer, count: number): Record<string, unknown> {
  const map: Record<string, unknown> = {}
  for (let i = 0; i < count; i++) {
    const key = read(bytes) as string
    map[key] = read(bytes)
  }
  return map
}

function decode(frame: Uint8Array): unknown {
  const bytes = frame as Buffer
  const digest = hash('sha256', bytes.subarray(36), 'binary')
  for (let i = 0; i < 32; i++)
    if (bytes[4 + i] !== digest.charCodeAt(i)) throw new Error('checksum')
  at = 36
  const count = (bytes[at++] ?? 0) & 0x0f
  let last: unknown
  for (let i = 0; i < count; i++) last = read(bytes)
  return last
}

export const limitContender: Contender = { name: 'limit', takes: 'Buffer', encode, decode }
