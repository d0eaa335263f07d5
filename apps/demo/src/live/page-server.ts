/**
 * Serves the built page on loopback, with a control channel beside it: `GET /events` (server-sent
 * events: a welcome, then batches of events) and `POST /command`.
 *
 * Only pages of this very server are answered: another site open in the same browser could otherwise
 * reach it under a name that points to 127.0.0.1, or post commands blindly.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod/mini'
import { networkNames } from '../view/world-event.ts'
import type { ControlCommand, WorldEvent } from '../view/world-event.ts'
import type { LiveNetwork } from './live-network.ts'

const pageFolder = fileURLToPath(new URL('../../page/dist/', import.meta.url))
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
/** Events wait this long for others. */
const batchMs = 40
/** Events in one batch; what is beyond loses its bytes first, and then frames are left out. */
const maxFramesWithBytes = 60
const maxFrames = 600
const maxCommandBytes = 4_096
/** A page that does not read is let go at this. */
const maxUnreadBytes = 8 * 1_048_576

const id = z.string()
const commandSchema: z.ZodMiniType<ControlCommand> = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('add'),
    network: z.enum(networkNames),
    count: z.int().check(z.gte(1), z.lte(100)),
  }),
  z.object({ op: z.enum(['kill', 'pause', 'resume']), id }),
  z.object({ op: z.literal('cut'), a: id, b: z.optional(id) }),
  z.object({ op: z.literal('heal') }),
])

export class PageServer {
  readonly #network: LiveNetwork
  readonly #server: Server
  readonly #pages = new Set<ServerResponse>()
  readonly #stopListening: () => void
  #batch: WorldEvent[] = []
  #timer: NodeJS.Timeout | undefined

  private constructor(network: LiveNetwork) {
    this.#network = network
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#stopListening = network.onEvent((event) => this.#queue(event))
  }

  /** @param port 0 for any */
  static async open(network: LiveNetwork, port: number): Promise<PageServer> {
    const server = new PageServer(network)
    server.#server.listen(port, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#stopListening()
    clearTimeout(this.#timer)
    for (const page of this.#pages) page.end()
    this.#server.close()
    this.#server.closeAllConnections()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '/' } = request
    if (!this.#isOwnPage(request)) return end(response, 403)
    if (method === 'GET' && url === '/events') return this.#openChannel(response)
    if (method === 'POST' && url === '/command') return this.#takeCommand(request, response)
    if (method !== 'GET') return end(response, 405)
    await serveFile(url, response)
  }

  #isOwnPage({ headers }: IncomingMessage): boolean {
    const { port } = this.#server.address() as AddressInfo
    const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
    const { host = '', origin } = headers
    return (
      hosts.includes(host) &&
      (origin === undefined || hosts.includes(origin.replace('http://', '')))
    )
  }

  #openChannel(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    // What is waiting is in the welcome already.
    this.#flush()
    response.write(`data: ${JSON.stringify(this.#network.welcome())}\n\n`)
    this.#pages.add(response)
    response.on('close', () => this.#pages.delete(response))
  }

  async #takeCommand(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) {
      body += String(chunk)
      if (body.length > maxCommandBytes) return end(response, 413)
    }
    try {
      await this.#network.obey(commandSchema.parse(JSON.parse(body)))
      end(response, 200, '{"ok":true}')
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      end(response, 400, JSON.stringify({ ok: false, error: text }))
    }
  }

  #queue(event: WorldEvent): void {
    if (this.#pages.size === 0) return
    if (event.type === 'frame') {
      if (this.#batch.length >= maxFrames) return
      if (this.#batch.length >= maxFramesWithBytes) {
        const { hex: _, ...bare } = event
        event = bare
      }
    }
    this.#batch.push(event)
    this.#timer ??= setTimeout(() => this.#flush(), batchMs)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#batch.length === 0) return
    const text = `data: ${JSON.stringify({ type: 'events', events: this.#batch })}\n\n`
    this.#batch = []
    for (const page of this.#pages) {
      if (page.writableLength > maxUnreadBytes) page.destroy()
      else page.write(text)
    }
  }
}

async function serveFile(url: string, response: ServerResponse): Promise<void> {
  const path = normalize(new URL(url, 'http://page').pathname)
  const file = path === '/' ? 'index.html' : path.slice(1)
  if (file.startsWith('..')) return end(response, 404)
  try {
    const content = await readFile(join(pageFolder, file))
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
    response.end(content)
  } catch {
    end(response, 404)
  }
}

function end(response: ServerResponse, status: number, json?: string): void {
  response.writeHead(status, json === undefined ? {} : { 'content-type': 'application/json' })
  response.end(json)
}
