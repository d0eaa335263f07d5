// What peers say in tests of the peer layer, as bytes, and what a node on the bench made of it.
import { createMessage, encodeFrame, networkId } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { extensionMarker } from '../../src/protocol/handshake.ts'
import { createControlPayload, createHelloPayload, type Control } from '../../src/protocol/hello.ts'
import type { Bench, BenchNode } from './peers-bench.ts'

export const plainNetwork: string = networkId({ subnet: 'mesh', encryption: 'Plaintext' })

export function whisper(sender: string | Uint8Array, payload: readonly Value[]): Uint8Array {
  return encodeFrame(createMessage({ type: 2, sender, time: 1_500_000_000, payload }))
}
export function handshake(
  id: string | Uint8Array,
  methods: readonly number[] = [0x13],
  network = plainNetwork,
): Uint8Array {
  return whisper(id, [5, id, network, ['10.9.9.9', 4444], methods])
}
export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

export function connect(node: BenchNode, address: string, request = 1, expectedId?: string): void {
  node.handle({ type: 'connect', request, address, expectedId, timeoutMs: 5_000 })
}
export const peerIds = (node: BenchNode): string[] => [...node.peers.peers.keys()]
export const codes = (node: BenchNode, type: 'close' | 'peer-closed'): string[] =>
  node.events.flatMap((event) => (event.type === type ? [event.reason.code] : []))

/** What a node of ours says behind its handshake. */
export function hello(id: string, nonce: Uint8Array, features: readonly string[]): Uint8Array {
  const addresses = [`memory://${id}`]
  return whisper(id, createHelloPayload({ features, nonce, addresses, maxFrameBytes: 65_536 }))
}

export function control(id: string, said: Control): Uint8Array {
  return whisper(id, createControlPayload(said))
}

/** A link of which the test is the other end, and on which it has introduced itself as one of ours. */
export function rawOurs(
  bench: Bench,
  node: BenchNode,
  id: string,
  options: { readonly dial?: number; readonly nonce?: Uint8Array } = {},
): number {
  const { nonce = new Uint8Array(8).fill(9), ...link } = options
  const raw = bench.rawLink(node, link)
  node.handle({ type: 'link-bytes', link: raw, bytes: handshake(id, [0x13, extensionMarker]) })
  const features = ['claim', 'heartbeat']
  node.handle({ type: 'link-bytes', link: raw, bytes: hello(id, nonce, features) })
  return raw
}
