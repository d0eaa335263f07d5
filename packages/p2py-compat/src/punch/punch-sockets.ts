/**
 * Carries a punch out: connects as the machine says, exchanges tokens, hands over the socket that won.
 *
 * All connects that the peer's NAT is to recognise leave from the port of our connection to the
 * rendezvous server; Node sets SO_REUSEADDR on outgoing sockets, so several may share it.
 */
import { connect, type Socket } from 'node:net'
import { isP2pError } from '@p2p/base'
import { decodePickle } from '../pickle/reader.ts'
import { FrameSplitter } from '../protocol/frame.ts'
import type { PunchEffect, PunchMachine } from '../protocol/punch-machine.ts'
import { frameOf } from '../protocol/outbox.ts'

export interface PunchOptions {
  readonly machine: PunchMachine
  /** The port that our NAT shows to the world under an address the peer knows. */
  readonly localPort: number
  readonly token: string
  readonly signal: AbortSignal
}

/** Bytes of a greeting with its header. */
const maxGreetingBytes = 512

/** The socket that both sides keep, paused, or undefined when there is none. Never rejects. */
export function punch(options: PunchOptions): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    new PunchRun(options, resolve).start()
  })
}

class PunchRun {
  readonly #options: PunchOptions
  readonly #resolve: (socket: Socket | undefined) => void
  readonly #sockets = new Map<number, Socket>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: PunchOptions, resolve: (socket: Socket | undefined) => void) {
    this.#options = options
    this.#resolve = resolve
  }

  start(): void {
    const { signal } = this.#options
    if (signal.aborted) {
      this.#end(undefined)
      return
    }
    signal.addEventListener('abort', this.#onAbort)
    this.#feed({ type: 'start' })
  }

  readonly #onAbort = (): void => {
    this.#end(undefined)
  }

  #feed(input: Parameters<PunchMachine['handle']>[0]): void {
    const { machine } = this.#options
    const now = { monoMs: performance.now(), utcSeconds: Date.now() / 1000 }
    for (const effect of machine.handle(input, now)) this.#carryOut(effect)
    clearTimeout(this.#timer)
    const nextMs = machine.nextDeadline()
    if (nextMs === Infinity) return
    this.#timer = setTimeout(
      () => {
        this.#feed({ type: 'deadline' })
      },
      Math.max(0, Math.ceil(nextMs - performance.now())),
    )
  }

  #carryOut(effect: PunchEffect): void {
    switch (effect.type) {
      case 'connect':
        this.#connect(effect)
        break
      case 'greet': {
        const greeting = { type: 'PUNCH', data: { token: this.#options.token, keep: effect.keep } }
        this.#sockets.get(effect.attempt)?.write(frameOf(greeting))
        break
      }
      case 'drop':
        this.#drop(effect.attempt)
        break
      case 'won': {
        const socket = this.#sockets.get(effect.attempt)
        this.#sockets.delete(effect.attempt)
        this.#end(socket)
        break
      }
      case 'lost':
        this.#end(undefined)
        break
    }
  }

  #connect({ attempt, address, fromKnownPort }: Extract<PunchEffect, { type: 'connect' }>): void {
    const local = fromKnownPort
      ? { localPort: this.#options.localPort, localAddress: '0.0.0.0' }
      : {}
    const socket = connect({ host: address.host, port: address.port, noDelay: true, ...local })
    this.#sockets.set(attempt, socket)
    const fail = (): void => {
      if (!this.#sockets.has(attempt)) return
      this.#drop(attempt)
      this.#feed({ type: 'failed', attempt })
    }
    socket.on('error', fail)
    socket.on('close', fail)
    socket.on('connect', () => {
      if (this.#sockets.has(attempt)) this.#feed({ type: 'connected', attempt })
    })
    this.#readGreetings(attempt, socket, fail)
  }

  /** Takes the peer's token, and later his choice; bytes behind the choice belong to the link. */
  #readGreetings(attempt: number, socket: Socket, fail: () => void): void {
    const splitter = new FrameSplitter({ maxFrameBytes: maxGreetingBytes })
    const onData = (chunk: Buffer): void => {
      for (let index = 0; index < chunk.length; index += 1) {
        const keep = this.#readGreeting(splitter, chunk.subarray(index, index + 1))
        if (keep === 'bad') {
          fail()
          return
        }
        if (keep === undefined) continue
        this.#feed({ type: 'greeted', attempt, keep })
        if (this.#sockets.has(attempt)) continue
        socket.off('data', onData)
        const rest = chunk.subarray(index + 1)
        if (rest.length > 0 && !socket.destroyed) socket.unshift(rest)
        return
      }
    }
    socket.on('data', onData)
  }

  /** Byte by byte, so that nothing behind a greeting is swallowed. */
  #readGreeting(splitter: FrameSplitter, byte: Uint8Array): boolean | 'bad' | undefined {
    try {
      const [pickle] = splitter.push(byte)
      if (pickle === undefined) return undefined
      const greeting = decodePickle(pickle, { maxPickleBytes: maxGreetingBytes })
      const data = greeting instanceof Map ? greeting.get('data') : undefined
      if (!(data instanceof Map) || data.get('token') !== this.#options.token) return 'bad'
      return data.get('keep') === true
    } catch (error) {
      if (!isP2pError(error)) throw error
      return 'bad'
    }
  }

  #drop(attempt: number): void {
    const socket = this.#sockets.get(attempt)
    this.#sockets.delete(attempt)
    socket?.destroy()
  }

  #end(winner: Socket | undefined): void {
    clearTimeout(this.#timer)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    for (const attempt of [...this.#sockets.keys()]) this.#drop(attempt)
    if (winner !== undefined) {
      winner.pause()
      winner.removeAllListeners('close')
      winner.removeAllListeners('error')
      winner.on('error', () => undefined)
    }
    this.#resolve(winner)
  }
}
