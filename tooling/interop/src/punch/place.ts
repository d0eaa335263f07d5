/**
 * What runs inside a namespace: a rendezvous server, or a node that registers and then, for each line
 * on stdin, sends a request to the peer and says how it went. Ends with its stdin.
 *
 *   place.js server PORT PROBE_PORT SKEW_MS | place.js peer HOST SERVER_PORT [TARGET_HOST]
 */
import { createInterface } from 'node:readline'
import { P2pError, resolveLimits, Runtime } from '@p2p/base'
import type { LinkEffect, LinkInput, Machine, Now } from '@p2p/base'
import { TcpTransport } from '@p2p/base/tcp'
import { P2pyNode, RendezvousMachine, type RendezvousEvent } from '@p2p/p2py-compat'
import { serverHost } from './namespaces.ts'

const nodePort = 4444

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

type Effect = LinkEffect | RendezvousEvent

/** The shipped server, but the introduced node hears of it later, as over a slower path. */
class SkewedServer implements Machine<LinkInput, Effect> {
  readonly #machine: RendezvousMachine
  readonly #skewMs: number
  #held: { readonly dueMs: number; readonly effect: Effect }[] = []

  constructor(machine: RendezvousMachine, skewMs: number) {
    this.#machine = machine
    this.#skewMs = skewMs
  }

  handle(input: LinkInput, now: Now): readonly Effect[] {
    const isDue = (dueMs: number): boolean => dueMs <= now.monoMs
    const due = this.#held.filter(({ dueMs }) => isDue(dueMs)).map(({ effect }) => effect)
    this.#held = this.#held.filter(({ dueMs }) => !isDue(dueMs))
    const effects = this.#machine.handle(input, now)
    const isNotice = (effect: Effect): boolean => {
      if (effect.type !== 'send') return false
      const text = Buffer.from(effect.bytes).toString('latin1')
      return text.includes('CONNECTION INIT') && !text.includes('RESPONSE')
    }
    for (const effect of effects.filter(isNotice)) {
      this.#held.push({ dueMs: now.monoMs + this.#skewMs, effect })
    }
    return [...due, ...effects.filter((effect) => !isNotice(effect))]
  }

  nextDeadline(): number {
    return Math.min(this.#machine.nextDeadline(), ...this.#held.map(({ dueMs }) => dueMs))
  }
}

async function serve(port: number, probePort: number, skewMs: number): Promise<void> {
  const machine = new RendezvousMachine({
    address: { host: serverHost, port },
    probePort,
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  })
  const runtime = new Runtime<never, RendezvousEvent>({
    machine: new SkewedServer(machine, skewMs),
    transports: [new TcpTransport()],
    limits: resolveLimits(),
    onEffect: (event) => {
      say({ ev: event.type })
    },
    onFailure: (error) => {
      throw error
    },
  })
  await runtime.listen(`tcp://${serverHost}:${port}`)
  await runtime.listen(`tcp://${serverHost}:${probePort}`)
  say({ ev: 'ready' })
  process.stdin.resume().once('end', () => process.exit(0))
}

async function join(host: string, serverPort: number, target: string | undefined): Promise<void> {
  const node = await P2pyNode.open({ host, port: nodePort, rendezvous: [serverHost, serverPort] })
  say({ ev: 'ready' })
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== 'go' || target === undefined) continue
    const startMs = performance.now()
    try {
      const timeoutMs = 20_000
      const address = [target, nodePort] as const
      const response = await node.request({ address }, { type: 'TEST' }, { timeoutMs })
      const ms = performance.now() - startMs
      const way = node.report().rendezvousLinks.relayed > 0 ? 'relayed' : 'punched'
      say({ ev: 'result', ok: response.data === 'Hi!', ms, way })
    } catch (error) {
      const code = error instanceof P2pError ? error.code : String(error)
      say({ ev: 'result', ok: false, ms: performance.now() - startMs, code })
    }
  }
  await node.close()
  process.exit(0)
}

const [role, first = '', second = '', third] = process.argv.slice(2)
if (role === 'server') await serve(Number(first), Number(second), Number(third ?? 0))
else await join(first, Number(second), third)
