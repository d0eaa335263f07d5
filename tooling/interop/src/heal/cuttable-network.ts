/**
 * A network that can be cut in two: each node is reached through a relay on loopback, and tells others the
 * relay's address. A relay learns from the first frame of a link who dialled it.
 *
 * While the network is cut, a link between the sides carries nothing, and neither end is told: as when a
 * cable is pulled. What was sent meanwhile arrives when it is plugged in again, unless the sender gave
 * the link up; a dial during the cut is answered by nobody until then.
 */
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { FrameSplitter, decodeFrame, idText } from '@p2p/serializer'

export interface RelayedPlace {
  /** Where the node has to listen. */
  readonly host: string
  readonly port: number
  /** What it has to tell others. */
  readonly advertisedPort: number
  readonly side: string
}

export class CuttableNetwork {
  readonly #servers: Server[] = []
  readonly #links = new Set<RelayedLink>()
  readonly #sides = new Map<string, string>()
  #isCut = false

  /** Opens the relay of a node that is about to listen on this host. */
  async place(host: string, side: string): Promise<RelayedPlace> {
    const port = await freePort(host)
    const server = createServer((dialler) => {
      const link = new RelayedLink(dialler, { host, port }, (id) => {
        const isAcross = this.#sides.get(id) !== side
        return { isAcross, isStopped: isAcross && this.#isCut }
      })
      this.#links.add(link)
      link.onEnd(() => this.#links.delete(link))
    })
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    return { host, port, advertisedPort: (server.address() as AddressInfo).port, side }
  }

  /** Nodes that are not named are on no side, and cut off from both. */
  name(id: string, side: string): void {
    this.#sides.set(id, side)
  }

  cut(): void {
    this.#isCut = true
    for (const link of this.#links) link.stop()
  }

  heal(): void {
    this.#isCut = false
    for (const link of this.#links) link.goOn()
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.destroy()
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    )
  }
}

interface Crossing {
  readonly isAcross: boolean
  readonly isStopped: boolean
}

/** One dialled link, from the dialler to the node behind the relay. */
class RelayedLink {
  readonly #dialler: Socket
  readonly #target: { readonly host: string; readonly port: number }
  readonly #judge: (diallerId: string) => Crossing
  readonly #splitter = new FrameSplitter()
  /** Both undefined until the first frame told who dialled. */
  #crossing: Crossing | undefined
  #answerer: Socket | undefined
  #first: Buffer[] = []
  #onEnd: () => void = () => undefined

  constructor(
    dialler: Socket,
    target: { readonly host: string; readonly port: number },
    judge: (diallerId: string) => Crossing,
  ) {
    this.#dialler = dialler
    this.#target = target
    this.#judge = judge
    dialler.setNoDelay(true)
    dialler.on('error', () => undefined)
    dialler.on('close', () => this.#end(this.#answerer))
    dialler.on('data', (bytes) => this.#onData(bytes))
  }

  onEnd(handler: () => void): void {
    this.#onEnd = handler
  }

  stop(): void {
    if (this.#crossing === undefined || !this.#crossing.isAcross) return
    this.#crossing = { isAcross: true, isStopped: true }
    this.#dialler.pause()
    this.#answerer?.pause()
  }

  goOn(): void {
    if (this.#crossing?.isStopped !== true) return
    this.#crossing = { isAcross: true, isStopped: false }
    if (this.#answerer === undefined) this.#reach()
    this.#dialler.resume()
    this.#answerer?.resume()
  }

  destroy(): void {
    this.#dialler.destroy()
    this.#answerer?.destroy()
  }

  #onData(bytes: Buffer): void {
    if (this.#answerer !== undefined) {
      this.#answerer.write(bytes)
      return
    }
    this.#first.push(bytes)
    if (this.#crossing !== undefined) return
    const [frame] = this.#splitter.push(bytes)
    if (frame === undefined) return
    this.#crossing = this.#judge(idText(decodeFrame(frame).sender) ?? '')
    if (this.#crossing.isStopped) this.#dialler.pause()
    else this.#reach()
  }

  #reach(): void {
    const answerer = connect(this.#target)
    this.#answerer = answerer
    answerer.setNoDelay(true)
    for (const bytes of this.#first) answerer.write(bytes)
    this.#first = []
    answerer.on('data', (bytes) => this.#dialler.write(bytes))
    answerer.on('error', () => undefined)
    answerer.on('close', () => this.#end(this.#dialler))
  }

  #end(other: Socket | undefined): void {
    this.#onEnd()
    // The other end hears of it when the network carries it; a paused socket does not close by itself.
    if (this.#crossing?.isStopped !== true) other?.end()
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
