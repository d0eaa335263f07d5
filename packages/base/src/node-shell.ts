/**
 * What every kind of node has around its machine: listeners, promises, the table of peers, events,
 * reports, and an end that leaves nothing behind.
 *
 * A public class such as MeshNode holds one shell, maps the effects of its machine to its own events
 * and promises, and passes the rest of its surface on:
 *
 *   const shell = new NodeShell({ options, createMachine, onEffect: (effect) => … })
 *   await shell.start()
 */
import { encodeBase58Integer } from '@p2p/serializer'
import { createDefaultTransports } from '#default-transports'
import { AddressBook } from './address-book.ts'
import { cancelled, throwIfCancelled } from './cancellation.ts'
import { Emitter } from './emitter.ts'
import type { ResolvedNodeOptions } from './node-options.ts'
import { P2pError, isP2pError } from './protocol/errors.ts'
import type { NodeLimits } from './protocol/limits.ts'
import type { LinkEffect, LinkInput, TransportName } from './protocol/link.ts'
import type { Machine, Now, RandomBytes } from './protocol/machine.ts'
import type { Peer, PeerKind, RequestId } from './protocol/peers-contract.ts'
import { Runtime, maxTimerMs } from './runtime.ts'
import type { LinkReport } from './runtime.ts'

/** A neighbour, as plain data. */
export interface PeerInfo {
  readonly id: string
  /** Where others can dial it; undefined for one that does not listen. */
  readonly address: string | undefined
  readonly transport: TransportName
  /** Which program it seems to be. */
  readonly kind: PeerKind
  /** True when we dialled. */
  readonly outgoing: boolean
}

/** Events of every kind of node; a kind adds its own. */
export interface NodeEvents {
  /** From no peer to the first one. */
  readonly connect: PeerInfo
  readonly 'peer:join': PeerInfo
  readonly 'peer:leave': { readonly peer: PeerInfo; readonly reason: P2pError }
  /** What went wrong without anybody waiting for it; what a handler threw has the code P2P_HANDLER_FAILED. */
  readonly error: P2pError
}

/** What every wait takes. */
export interface WaitOptions {
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** What a machine gets when it is made. */
export interface MachineBoot {
  readonly id: string
  readonly randomBytes: RandomBytes
  readonly limits: NodeLimits
  /** URL schemes of addresses that the node has a transport for. */
  readonly schemes: readonly string[]
}

/** Commands that the machine of every kind of node takes. */
export type ShellCommand =
  | { readonly type: 'listening'; readonly addresses: readonly string[] }
  | {
      readonly type: 'connect'
      readonly request: RequestId
      readonly address: string
      readonly timeoutMs: number
    }
  | { readonly type: 'cancel'; readonly request: RequestId }
  | { readonly type: 'disconnect'; readonly peer: string; readonly reason: P2pError }

interface Typed {
  readonly type: string
}

export interface NodeShellOptions<Command extends Typed, Emitted extends Typed> {
  readonly options: ResolvedNodeOptions
  /** The node id, base58 text, for a kind of node that keeps it; default a new one. */
  readonly id?: string | undefined
  readonly createMachine: (
    boot: MachineBoot,
  ) => Machine<LinkInput | ShellCommand | Command, LinkEffect | Emitted>
  /** Every effect that is not one of links. Call `peerJoined`, `peerLeft`, `settle` and `fail` from it. */
  readonly onEffect: (effect: Emitted) => void
  /** Called once, when the node begins to end: by `close` or by the signal in its options. */
  readonly onClose?: (reason: P2pError) => void
}

/** The part of a report that every kind of node has; plain JSON data. */
export interface NodeReport {
  readonly id: string
  readonly addresses: readonly string[]
  readonly peers: readonly PeerInfo[]
  readonly links: readonly LinkReport[]
  readonly limits: NodeLimits
  /** Open links, dials, listeners and timers. */
  readonly handles: number
  readonly waitingRequests: number
  /** The latest, oldest first. */
  readonly lastErrors: readonly { readonly code: string; readonly message: string }[]
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** Bytes of a node id: as long as the SHA-384 of the originals. */
const idBytes = 48
const maxLastErrors = 32
/** Remembered addresses that are tried when no bootstrap address leads to a peer. */
const maxRememberedDials = 8
const defaultTimeoutMs = 10_000

export class NodeShell<Command extends Typed, Emitted extends Typed, Events extends NodeEvents> {
  readonly id: string
  readonly events: Emitter<Events>
  readonly #options: ResolvedNodeOptions
  readonly #onClose: ((reason: P2pError) => void) | undefined
  readonly #addressBook: AddressBook | undefined
  readonly #runtime: Runtime<ShellCommand | Command, Emitted>
  readonly #peers = new Map<string, PeerInfo>()
  readonly #waiting = new Map<RequestId, Waiting>()
  readonly #lastErrors: { readonly code: string; readonly message: string }[] = []
  /** What the signal in the options calls: a node around this one may have more to end. */
  closeBySignal: () => Promise<void> = () => this.close()
  readonly #onAbort = (): void => {
    void this.closeBySignal()
  }
  #addresses: readonly string[] = []
  /** Errors from before the node was open: at most one for each address it joins, and those of the store. */
  #untold: P2pError[] | undefined = []
  #nextRequest = 1
  #isClosed = false
  #closed: Promise<void> | undefined

  constructor(shell: NodeShellOptions<Command, Emitted>) {
    const { options } = shell
    this.#options = options
    this.#onClose = shell.onClose
    this.id = shell.id ?? encodeBase58Integer(randomBytes(idBytes))
    this.events = new Emitter<Events>((cause, event) => {
      const text = `a handler of "${event}" threw`
      this.reportError(new P2pError('P2P_HANDLER_FAILED', text, { cause }), event !== 'error')
    })
    this.#addressBook =
      options.store === undefined
        ? undefined
        : new AddressBook({
            store: options.store,
            maxAddresses: options.limits.maxKnownAddresses,
            onError: (cause) => {
              this.reportError(new P2pError('P2P_STORE_FAILED', 'the store failed', { cause }))
            },
          })
    const { limits, transports = createDefaultTransports() } = options
    const schemes = transports.flatMap((transport) => transport.schemes)
    this.#runtime = new Runtime({
      machine: shell.createMachine({ id: this.id, randomBytes, limits, schemes }),
      transports,
      limits,
      logger: options.logger,
      onEffect: shell.onEffect,
      onFailure: (cause) => {
        const text = 'this package failed; please report it'
        this.reportError(new P2pError('P2P_INTERNAL', text, { cause }))
      },
    })
  }

  /** Where others can dial this node. */
  get addresses(): readonly string[] {
    return this.#addresses
  }
  get peers(): ReadonlyMap<string, PeerInfo> {
    return this.#peers
  }
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Listens, and begins to join the bootstrap addresses. Resolves when one of those is connected or
   * all have failed for now, and then some that an earlier process has reached, if there is a store.
   * Rejects, with nothing left open, when an address cannot be listened on, and when the node is closed
   * meanwhile. `enter`: what a node does besides before it is open.
   */
  async start(enter?: () => Promise<void>): Promise<void> {
    const { listen, advertise, connect, signal } = this.#options
    const book = this.#addressBook
    await book?.load()
    if (signal?.aborted === true) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
    try {
      const advertised: string[] = []
      for (const address of listen)
        advertised.push((await this.#runtime.listen(address)).advertised)
      this.#addresses = advertise.length > 0 ? advertise : advertised
    } catch (error) {
      await this.close()
      throw error
    }
    this.command({ type: 'listening', addresses: this.#addresses })
    await this.#join(connect)
    if (book !== undefined && this.#peers.size === 0)
      await this.#join(book.latest(maxRememberedDials))
    if (!this.#isClosed) await enter?.()
    if (this.#isClosed) {
      await this.close()
      throw closedError()
    }
    // A turn later, those who awaited this have their handlers in place.
    setTimeout(() => {
      const untold = this.#untold
      this.#untold = undefined
      for (const error of untold ?? []) this.#emit('error', error)
    })
  }

  now(): Now {
    return this.#runtime.now()
  }

  command(command: ShellCommand | Command): void {
    this.#runtime.command(command)
  }

  /**
   * Gives the machine a command that it will answer: the promise settles with `settle` or `fail`
   * under the same request id, or with the signal or the time-out, which cancel the request.
   */
  async request<Result>(
    build: (request: RequestId, timeoutMs: number) => ShellCommand | Command,
    { signal, timeoutMs: wantedMs = defaultTimeoutMs }: WaitOptions = {},
  ): Promise<Result> {
    const timeoutMs = timerDelay(wantedMs)
    if (this.#isClosed) throw closedError()
    throwIfCancelled(signal)
    const request = this.#nextRequest
    this.#nextRequest += 1
    let onAbort: () => void = () => undefined
    try {
      return await new Promise<Result>((resolve, reject) => {
        this.#waiting.set(request, { resolve: resolve as (value: unknown) => void, reject })
        onAbort = () => {
          this.command({ type: 'cancel', request })
          reject(cancelled(signal))
        }
        signal?.addEventListener('abort', onAbort)
        this.command(build(request, timeoutMs))
      })
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#waiting.delete(request)
    }
  }

  /** The machine answered a request. */
  settle(request: RequestId, result: unknown): void {
    this.#waiting.get(request)?.resolve(result)
  }

  /** The machine could not do what a request asked for. */
  fail(request: RequestId, error: Error): void {
    this.#waiting.get(request)?.reject(error)
  }

  /** The peer at this address, connected now or already. Waits for `dialTimeoutMs` unless told otherwise. */
  async connect(address: string, wait: WaitOptions = {}): Promise<PeerInfo> {
    if (typeof address !== 'string') throw new TypeError('the address must be text')
    const { timeoutMs: waitMs = this.#options.limits.dialTimeoutMs } = wait
    const peer = await this.request<Peer>(
      (request, timeoutMs) => ({ type: 'connect', request, address, timeoutMs }),
      { ...wait, timeoutMs: waitMs },
    )
    return peerInfo(peer)
  }

  /** Ends the link to a peer; it is not dialled again by itself. False when there is none. */
  disconnect(id: string): boolean {
    if (!this.#peers.has(id)) return false
    const reason = new P2pError('P2P_DISCONNECTED', 'the application ended the link')
    this.command({ type: 'disconnect', peer: id, reason })
    return true
  }

  peerJoined(peer: Peer): void {
    const info = peerInfo(peer)
    const isFirst = this.#peers.size === 0
    this.#peers.set(peer.id, info)
    if (peer.outgoing && peer.address !== undefined) {
      this.#addressBook?.remember(peer.address, this.#runtime.now().utcSeconds)
    }
    if (isFirst) this.#emit('connect', info)
    this.#emit('peer:join', info)
  }

  /** The peer is the same, what it says about itself may have changed. */
  peerUpdated(peer: Peer): void {
    if (this.#peers.has(peer.id)) this.#peers.set(peer.id, peerInfo(peer))
  }

  peerLeft(peer: Peer, reason: P2pError): void {
    const info = this.#peers.get(peer.id) ?? peerInfo(peer)
    this.#peers.delete(peer.id)
    this.#emit('peer:leave', { peer: info, reason })
  }

  /** Keeps the error for the report and tells whoever listens to `error`, at the earliest when the node is open. */
  reportError(error: P2pError, isEmitted = true): void {
    this.#lastErrors.push({ code: error.code, message: error.message })
    if (this.#lastErrors.length > maxLastErrors) this.#lastErrors.shift()
    this.#options.logger?.warn(error.message, { code: error.code })
    if (!isEmitted) return
    if (this.#untold === undefined) this.#emit('error', error)
    else this.#untold.push(error)
  }

  report(): NodeReport {
    return {
      id: this.id,
      addresses: this.#addresses,
      peers: [...this.#peers.values()],
      links: this.#runtime.linkReports,
      limits: this.#options.limits,
      handles: this.#runtime.handleCount,
      waitingRequests: this.#waiting.size,
      lastErrors: [...this.#lastErrors],
    }
  }

  /** Ends everything; what waits is rejected with P2P_CLOSED. May be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    const reason = closedError()
    for (const { reject } of this.#waiting.values()) reject(reason)
    this.#onClose?.(reason)
    await this.#runtime.close()
    await this.#addressBook?.flush()
    this.#peers.clear()
    this.events.clear()
  }

  async #join(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0 || this.#isClosed) return
    const attempts = addresses.map(async (address) => {
      try {
        await this.connect(address)
      } catch (error) {
        const expected = ['P2P_SELF', 'P2P_CLOSED']
        if (isP2pError(error) && !expected.includes(error.code)) this.reportError(error)
        throw error
      }
    })
    await Promise.any(attempts).catch(() => undefined)
  }

  #emit<Name extends keyof NodeEvents & string>(event: Name, value: NodeEvents[Name]): void {
    // Every kind of node has these events, with these values.
    this.events.emit(event, value as Events[Name])
  }
}

export function peerInfo(peer: Peer): PeerInfo {
  const { id, address, transport, kind, outgoing } = peer
  return { id, address, transport, kind, outgoing }
}

function closedError(): P2pError {
  return new P2pError('P2P_CLOSED', 'the node was closed')
}

/** A time-out as timers take it: for longer ones they would go off at once. */
export function timerDelay(timeoutMs: number): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) {
    throw new RangeError(`timeoutMs must be a number above 0, got ${String(timeoutMs)}`)
  }
  return Math.min(timeoutMs, maxTimerMs)
}

/** Drawn and not given out yet: a few bytes are asked for again and again, and to draw two costs what a thousand do. */
let drawn = new Uint8Array()

/** Node and browsers have this one in common; it refuses more than 64 KiB at once, which nobody asks for. */
function randomBytes(count: number): Uint8Array {
  if (drawn.length < count) drawn = crypto.getRandomValues(new Uint8Array(1_024 + count))
  const given = drawn.slice(0, count)
  drawn = drawn.subarray(count)
  return given
}
