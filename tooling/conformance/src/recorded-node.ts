/** What a transcript says about a node, and the messages in its frames. */
import { decodeFrame, encodeFrame, flags, idText, openFrame } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'
import * as z from 'zod'
import { archiveMethods, archiveReading } from './archive-reading.ts'
import { bytesFromHex } from './recorded-bytes.ts'
import { refusalOf } from './refusal.ts'
import { tagged, valueOf } from './tagged-value.ts'
import type { FrameEntry, Transcript } from './transcript.ts'

export interface RecordedNode {
  readonly kind: string
  readonly id: string
  /** The originals send their id as bytes (py2p) or as text (js2p). */
  readonly idEncoding: 'text' | 'bytes'
  readonly address: string
  readonly networkId: string
  /** False for py2p's development branch, which makes bytes of network ids. */
  readonly hasTextNetworkId: boolean
  readonly subnet: string
  readonly methods: readonly number[]
}

const nodeShape = z.object({
  kind: z.string(),
  id: tagged,
  out_addr: z.tuple([z.string(), z.number()]),
  protocol: tagged,
  subnet: z.string(),
  compression: z.array(z.number()),
})

/** Undefined when the node is described in another way. */
export function readNode(transcript: Transcript, name: string): RecordedNode | undefined {
  const parsed = nodeShape.safeParse(transcript.nodes[name])
  if (!parsed.success) return undefined
  const { kind, id, out_addr: address, protocol, subnet, compression } = parsed.data
  return {
    kind,
    id: idText(valueOf(id)) ?? '',
    idEncoding: id.t === 'bin' ? 'bytes' : 'text',
    address: `tcp://${address[0]}:${address[1]}`,
    networkId: idText(valueOf(protocol)) ?? '',
    hasTextNetworkId: protocol.t === 'str',
    subnet,
    methods: compression,
  }
}

/** Milliseconds in a transcript count from its start; the times in its messages tell when that was. */
export function utcOriginOf(transcript: Transcript): number {
  for (const entry of transcript.entries) {
    if (entry.kind !== 'frame') continue
    const content = contentOf(entry)
    if (content.type === 'message') return content.message.time - entry.ms / 1000
  }
  return 1_500_000_000
}

/** What a reader of 0.7 makes of a recorded frame. */
export type FrameContent =
  | { readonly type: 'message'; readonly frame: Uint8Array; readonly message: WireMessage }
  /** An array that is no message: ignored, and the link lives. */
  | { readonly type: 'ignored'; readonly frame: Uint8Array }
  /** No frame at all: the link ends. */
  | { readonly type: 'garbage'; readonly frame: Uint8Array }
  /** Not recorded whole. */
  | { readonly type: 'unknown' }

export function contentOf(entry: FrameEntry): FrameContent {
  const frame = readableFrame(entry)
  if (frame === undefined) return { type: 'unknown' }
  let message: WireMessage | undefined
  const refusal = refusalOf(() => {
    message = decodeFrame(frame)
  })
  if (message !== undefined) return { type: 'message', frame, message }
  return { type: refusal?.code === 'P2P_MESSAGE_HEADER' ? 'ignored' : 'garbage', frame }
}

/** The recorded bytes; not compressed where that was done by a method that no node of ours reads. */
function readableFrame(entry: FrameEntry): Uint8Array | undefined {
  if (typeof entry.hex !== 'string') return undefined
  const frame = bytesFromHex(entry.hex)
  let plain = frame
  refusalOf(() => {
    plain = encodeFrame(openFrame(frame, { ...archiveReading, methods: archiveMethods }))
  })
  return plain
}

export function isHandshake(message: WireMessage): boolean {
  const { type, payload } = message
  return type === flags.whisper && payload.length === 5 && payload[0] === flags.handshake
}
