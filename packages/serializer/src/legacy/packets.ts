/**
 * The two ways in which protocols 0.2 to 0.5 put a list of byte strings into one block.
 *
 *   0.2, 0.3, 0.4   u32 length of each packet, then all packets     (the count is not written)
 *   0.5             u32 length and bytes of each packet in turn
 *
 * All lengths are unsigned big-endian. Source: spec/wire.md §11.2, §11.3.
 */
import { DecodeError } from '../errors.ts'

const lengthBytes = 4
/** Each packet costs an object, and a block of zeros is a list of empty ones. */
export const maxPackets = 65_536

/** A table of lengths, then the packets. */
export function joinWithTable(packets: readonly Uint8Array[]): Uint8Array {
  const block = new Uint8Array(blockBytes(packets))
  const view = new DataView(block.buffer)
  let offset = packets.length * lengthBytes
  for (const [index, packet] of packets.entries()) {
    view.setUint32(index * lengthBytes, packet.length)
    block.set(packet, offset)
    offset += packet.length
  }
  return block
}

/** Each packet behind its own length. */
export function joinInTurn(packets: readonly Uint8Array[]): Uint8Array {
  const block = new Uint8Array(blockBytes(packets))
  const view = new DataView(block.buffer)
  let offset = 0
  for (const packet of packets) {
    view.setUint32(offset, packet.length)
    block.set(packet, offset + lengthBytes)
    offset += lengthBytes + packet.length
  }
  return block
}

function blockBytes(packets: readonly Uint8Array[]): number {
  return packets.reduce((total, packet) => total + lengthBytes + packet.length, 0)
}

/** The table ends where its own bytes and the lengths read so far make up the whole block. */
export function splitWithTable(block: Uint8Array): Uint8Array[] {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const lengths: number[] = []
  let covered = 0
  while (covered < block.length) {
    const at = lengths.length * lengthBytes
    if (at + lengthBytes > block.length) throw invalid('the table of lengths does not end', at)
    if (lengths.length === maxPackets) throw invalid(`more than ${maxPackets} packets`, at)
    const length = view.getUint32(at)
    lengths.push(length)
    covered += lengthBytes + length
  }
  if (covered > block.length) throw invalid('a packet is longer than the block', 0)
  let offset = lengths.length * lengthBytes
  return lengths.map((length) => {
    const packet = block.subarray(offset, offset + length)
    offset += length
    return packet
  })
}

/** The packets in a block of `joinInTurn`, as views of it. DecodeError `P2P_LEGACY_INVALID` when it is none. */
export function splitInTurn(block: Uint8Array): Uint8Array[] {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const packets: Uint8Array[] = []
  let offset = 0
  while (offset < block.length) {
    if (offset + lengthBytes > block.length) throw invalid('a length is cut', offset)
    if (packets.length === maxPackets) throw invalid(`more than ${maxPackets} packets`, offset)
    const start = offset + lengthBytes
    const end = start + view.getUint32(offset)
    if (end > block.length) throw invalid('a packet is longer than the block', offset)
    packets.push(block.subarray(start, end))
    offset = end
  }
  return packets
}

function invalid(message: string, offset: number): DecodeError {
  return new DecodeError('P2P_LEGACY_INVALID', message, { offset })
}
