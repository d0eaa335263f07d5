/** A peer that the test moves by hand: whatever bytes it likes, over a real TCP connection. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { deflateSync } from 'node:zlib'
import { concatBytes, createMessage, encodeFrame, networkId, sha256 } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { transportToEncryption } from '../../src/protocol/address.ts'
import type { TransportName } from '../../src/protocol/link.ts'

const network = networkId({ subnet: 'mesh', encryption: 'Plaintext' })

export class RawPeer {
  readonly socket: Socket
  receivedBytes = 0
  /** Resolves when the other end is done with us. */
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      this.receivedBytes += chunk.length
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve()
      })
    })
  }

  static open(address: string): Promise<RawPeer> {
    const port = Number(address.split(':').at(-1))
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port })
      const peer = new RawPeer(socket)
      socket.once('connect', () => {
        resolve(peer)
      })
      socket.once('error', reject)
    })
  }

  /** Shakes hands as an old peer with this id would, unless the methods say otherwise. */
  greet(id: string, methods: readonly number[] = [0x13]): void {
    this.whisper(id, [5, id, network, ['127.0.0.1', 9], methods])
  }

  whisper(sender: string, payload: readonly Value[]): void {
    const time = Math.floor(Date.now() / 1_000)
    this.socket.write(encodeFrame(createMessage({ type: 2, sender, time, payload })))
  }

  end(): void {
    this.socket.destroy()
  }
}

/** The handshake of an old peer with this id, for a transport with its own network id. */
export function greetingFrame(id: string, transport: TransportName): Uint8Array {
  const encryption = transportToEncryption(transport)
  const protocol = networkId({ subnet: 'mesh', encryption })
  const payload: readonly Value[] = [5, id, protocol, ['127.0.0.1', 9], [0x13]]
  return encodeFrame(createMessage({ type: 2, sender: id, time: 1, payload }))
}

/** A header that announces so many bytes. */
export function header(byteCount: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, byteCount)
  return bytes
}

/** A small frame that inflates to so many bytes, with a right checksum. */
export function bomb(inflatedBytes: number): Uint8Array {
  const body = new Uint8Array(inflatedBytes)
  const block = deflateSync(concatBytes(sha256(body), body), { level: 9 })
  return concatBytes(header(block.length), block)
}
