/** A socket that speaks p2py frames, for the conversation with a rendezvous server. */
import type { Socket } from 'node:net'
import { isP2pError } from '@p2p/base'
import { decodePickle } from '../pickle/reader.ts'
import type { PyValue } from '../pickle/values.ts'
import { FrameSplitter } from '../protocol/frame.ts'
import { frameOf } from '../protocol/outbox.ts'
import { rendezvousPickleLimits } from '../protocol/rendezvous-messages.ts'

/** Enough for every message of a rendezvous server; relayed bytes come in pieces of 16 KiB. */
const maxFrameBytes = 65_536
const limits = { ...rendezvousPickleLimits, maxPickleBytes: maxFrameBytes }

export class FrameSocket {
  readonly #socket: Socket
  readonly #splitter = new FrameSplitter({ maxFrameBytes })

  constructor(
    socket: Socket,
    events: { onValue(value: PyValue): void; onClose(): void; onDrain?(): void },
  ) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', () => {
      events.onClose()
    })
    socket.on('drain', () => {
      events.onDrain?.()
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const pickle of this.#splitter.pickles(new Uint8Array(chunk))) {
          events.onValue(decodePickle(pickle, limits))
        }
      } catch (error) {
        if (!isP2pError(error)) throw error
        socket.destroy()
      }
    })
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  send(value: PyValue): boolean {
    return this.#socket.destroyed ? true : this.#socket.write(frameOf(value))
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
