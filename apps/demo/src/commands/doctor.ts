/**
 * `p2p doctor ADDRESS`: walks from an address to a usable peer, and says which step is the first that
 * fails, why, and what helps: name → tcp → tls or ws → handshake → network → compression → clock.
 */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { examine, parseAddress } from '@p2p/base'
import type { DoctorStep } from '@p2p/base'
import { printable } from './printable.ts'

export interface DoctorOptions {
  readonly subnet: string
  readonly timeout: number
}

/** A step of the walk; like those of `examine`, with the ones below the link apart. */
export interface WalkStep extends Omit<DoctorStep, 'name'> {
  readonly name: string
}

export interface Walk {
  readonly address: string
  readonly ok: boolean
  readonly steps: readonly WalkStep[]
  /** What to do about the step that failed. */
  readonly advice?: string
}

const adviceByCode: Readonly<Record<string, string>> = {
  P2P_BAD_ADDRESS: 'write it as tcp://host:port, tls://…, ws://… or wss://…',
  P2P_NAME_NOT_FOUND: 'check the spelling of the host, or use its IP address',
  P2P_CONNECTION_REFUSED: 'start the node there, or check the port',
  P2P_DIAL_TIMEOUT: 'look for a firewall or a wrong host: nothing answers, not even with a refusal',
  P2P_UNREACHABLE: 'check the network: there is no way to that host',
  P2P_NOT_TLS: 'the port does not speak TLS: try tcp:// or ws://',
  P2P_NOT_WEBSOCKET: 'the port does not speak WebSocket: try tcp://',
  P2P_TLS_THERE: 'the port speaks TLS: use tls://',
  P2P_WEBSOCKET_THERE: 'the port speaks WebSocket: use ws://',
  P2P_HANDSHAKE_TIMEOUT:
    'something listens there and says nothing: another program, or a node that hangs',
  P2P_CLOSED_IN_HANDSHAKE: 'it hangs up: another program, another network, or a node that is full',
  P2P_NOT_P2P: 'another program listens on that port',
  P2P_BAD_FRAME: 'another program listens on that port',
  P2P_WRONG_NETWORK: 'a node of another network: give its name with --subnet',
  P2P_OLDER_VERSION: 'update the other program: versions refuse each other',
  P2P_CLOCK_SKEW: 'set both clocks (NTP)',
}

/** Where the advice depends on what was dialled. */
const adviceByTransport: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // A WebSocket with TLS fails at its TLS first: then a WebSocket without, or none, is what may be there.
  P2P_NOT_TLS: { wss: 'the port does not speak TLS: try ws:// or tcp://' },
  // How the WebSocket of Node.js says the same; behind an open port there is little else.
  P2P_DIAL_FAILED: { wss: 'the port seems not to speak TLS: try ws:// or tcp://' },
  P2P_LINK_RESET: { ws: 'it hangs up on WebSocket: the port may speak TLS, try wss:// or tls://' },
  P2P_NOT_WEBSOCKET: { wss: 'the port speaks TLS, but not WebSocket: try tls://' },
  P2P_TLS_THERE: {
    ws: 'the port speaks TLS: use wss:// or tls://',
    tcp: 'the port speaks TLS: use tls:// or wss://',
  },
  P2P_WEBSOCKET_THERE: { tls: 'the port speaks WebSocket: use wss://' },
}

function adviceFor(steps: readonly WalkStep[], transport: string | undefined): string | undefined {
  const code = steps.at(-1)?.code ?? ''
  // The port was open: no firewall, somebody who says nothing.
  const isSilent = code === 'P2P_DIAL_TIMEOUT' && steps.some(({ name, ok }) => ok && name === 'tcp')
  const silent = isSilent ? adviceByCode['P2P_HANDSHAKE_TIMEOUT'] : undefined
  const dialled = steps.at(-1)?.name === 'tcp' ? undefined : transport
  return silent ?? adviceByTransport[code]?.[dialled ?? ''] ?? adviceByCode[code]
}

/** Never rejects: what goes wrong is a step. */
export async function walk(address: string, options: DoctorOptions): Promise<Walk> {
  const steps: WalkStep[] = []
  const parsed = parseAddress(address)
  if (parsed !== undefined && parsed.transport !== 'memory') {
    const { host, port } = parsed
    steps.push(await timed('name', () => findName(host)))
    if (steps.at(-1)?.ok === true)
      steps.push(await timed('tcp', () => reach(host, port, options.timeout)))
  }
  if (steps.every(({ ok }) => ok)) {
    const { subnet, timeout } = options
    const report = await examine(address, { subnet, timeoutMs: timeout })
    for (const step of report.steps) {
      // The address was understood, and a TCP link was opened above.
      if (step.name === 'address' && step.ok) continue
      if (step.name !== 'link') steps.push(step)
      else if (parsed?.transport !== 'tcp')
        steps.push({ ...step, name: parsed?.transport ?? 'link' })
      else if (!step.ok) steps.push({ ...step, name: 'tcp' })
    }
  }
  const advice = adviceFor(steps, parsed?.transport)
  const ok = steps.every((step) => step.ok)
  return { address, ok, steps, ...(advice !== undefined && { advice }) }
}

/** Of the command: 2 for what is no address at all, which no network could help. */
export function statusOf({ ok, steps }: Walk): number {
  if (ok) return 0
  return steps.at(-1)?.code === 'P2P_BAD_ADDRESS' ? 2 : 1
}

/** The lines for people. */
export function describeWalk({ address, ok, steps, advice }: Walk): string {
  const lines = steps.map(
    (step) =>
      `${step.ok ? '✓' : '✗'} ${step.name.padEnd(12)} ${printable(step.detail)} (${step.ms} ms)`,
  )
  const last = steps.at(-1)
  const verdict = ok
    ? `${address} is a peer you can use`
    : `${address} fails at "${last?.name}": ${last?.code}${advice === undefined ? '' : `; ${advice}`}`
  return [...lines, verdict].join('\n')
}

async function findName(host: string): Promise<string> {
  const { address } = await lookup(host.replace(/^\[|\]$/g, ''))
  return address === host ? 'an IP address' : `${host} is ${address}`
}

/** Opens a TCP connection and ends it again. */
function reach(host: string, port: number, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port, timeout: timeoutMs })
    socket.once('connect', () => {
      socket.destroy()
      resolve(`port ${port} is open`)
    })
    socket.once('timeout', () => {
      socket.destroy()
      reject(Object.assign(new Error(`no answer in ${timeoutMs} ms`), { code: 'ETIMEDOUT' }))
    })
    socket.once('error', reject)
  })
}

const systemCodes: Readonly<Record<string, string>> = {
  ENOTFOUND: 'P2P_NAME_NOT_FOUND',
  EAI_AGAIN: 'P2P_NAME_NOT_FOUND',
  ECONNREFUSED: 'P2P_CONNECTION_REFUSED',
  ETIMEDOUT: 'P2P_DIAL_TIMEOUT',
  EHOSTUNREACH: 'P2P_UNREACHABLE',
  ENETUNREACH: 'P2P_UNREACHABLE',
}

async function timed(name: string, run: () => Promise<string>): Promise<WalkStep> {
  const startedMs = performance.now()
  const took = (): number => Math.round(10 * (performance.now() - startedMs)) / 10
  try {
    return { name, ok: true, detail: await run(), ms: took() }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return {
      name,
      ok: false,
      detail: message,
      code: systemCodes[code ?? ''] ?? 'P2P_DIAL_FAILED',
      ms: took(),
    }
  }
}
