/** A rendezvous server on two ports of one host; the protocol is in `rendezvous-machine.ts`. */
import { resolveLimits, Runtime, type Logger } from '@p2p/base'
import { TcpTransport } from '@p2p/base/tcp'
import { RendezvousMachine } from '../protocol/rendezvous-machine.ts'
import type { RendezvousEvent, RendezvousLimits } from '../protocol/rendezvous-machine.ts'
import { urlToAddress } from '../protocol/node-address.ts'

export interface RendezvousServerOptions {
  /** Default 127.0.0.1. A server is of use only where both sides can reach it. */
  readonly host?: string
  /** 0 for any. */
  readonly port?: number
  /** The second port, by which nodes learn what their NAT does; default any. */
  readonly probePort?: number
  readonly limits?: Partial<RendezvousLimits>
  readonly logger?: Logger
}

/**
 * @example
 * await using server = await RendezvousServer.open({ host: '0.0.0.0', port: 7000, probePort: 7001 })
 */
export class RendezvousServer {
  readonly #machine: RendezvousMachine
  readonly #runtime: Runtime<never, RendezvousEvent>
  /** Where nodes register. */
  readonly address: readonly [host: string, port: number]
  readonly probePort: number
  #introductions = 0

  private constructor(
    options: RendezvousServerOptions,
    ports: { port: number; probePort: number },
  ) {
    const { host = '127.0.0.1' } = options
    this.address = [host, ports.port]
    this.probePort = ports.probePort
    this.#machine = new RendezvousMachine({
      address: { host, port: ports.port },
      probePort: ports.probePort,
      randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
      limits: options.limits ?? {},
    })
    this.#runtime = new Runtime<never, RendezvousEvent>({
      machine: this.#machine,
      transports: [new TcpTransport()],
      limits: resolveLimits(),
      logger: options.logger,
      onEffect: (event) => {
        if (event.type === 'introduced') this.#introductions += 1
        options.logger?.debug(`rendezvous: ${event.type}`)
      },
      onFailure: (error) => {
        options.logger?.warn('rendezvous: a failure of its own', { error })
      },
    })
  }

  /** Rejects with P2pError (P2P_ADDRESS_IN_USE …) when it cannot listen on both ports. */
  static async open(options: RendezvousServerOptions = {}): Promise<RendezvousServer> {
    const { host = '127.0.0.1' } = options
    const port = await freePort(host, options.port ?? 0)
    const probePort = await freePort(host, options.probePort ?? 0)
    const server = new RendezvousServer(options, { port, probePort })
    try {
      await server.#runtime.listen(`tcp://${host}:${port}`)
      await server.#runtime.listen(`tcp://${host}:${probePort}`)
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  report(): {
    readonly clients: number
    readonly sessions: number
    readonly introductions: number
  } {
    const { clientCount, sessionCount } = this.#machine
    return { clients: clientCount, sessions: sessionCount, introductions: this.#introductions }
  }

  async close(): Promise<void> {
    await this.#runtime.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** The port itself, or for 0 one that was free a moment ago: nodes are told it before it is bound. */
async function freePort(host: string, port: number): Promise<number> {
  if (port !== 0) return port
  const listener = await new TcpTransport().listen(`tcp://${host}:0`, (link) => {
    link.destroy()
  })
  await listener.close()
  return urlToAddress(listener.address)?.port ?? 0
}
