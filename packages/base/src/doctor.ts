/**
 * Walks the steps from an address to a usable peer and says which is the first that fails. Opens one
 * link of its own, sends one handshake, and closes again; no node is needed.
 */
import { encodeBase58Integer, negotiate, offeredMethods } from '@p2p/serializer'
import { createDefaultTransports } from '#default-transports'
import { parseAddress } from './protocol/address.ts'
import { Connection } from './protocol/connection.ts'
import { P2pError, isP2pError } from './protocol/errors.ts'
import { FrameCache } from './protocol/frame-cache.ts'
import type { Handshake } from './protocol/handshake.ts'
import { nonceBytes } from './protocol/hello.ts'
import { defaultLimits } from './protocol/limits.ts'
import { OwnIdentities } from './protocol/own-identities.ts'
import { wrongNetworkError } from './protocol/peer-errors.ts'
import type { Link, Transport } from './transport.ts'

export type DoctorStepName = 'address' | 'link' | 'handshake' | 'network' | 'compression'

export interface DoctorStep {
  readonly name: DoctorStepName
  readonly ok: boolean
  /** What was found, or what failed, in plain words. */
  readonly detail: string
  /** Code of the failure. */
  readonly code?: string
  readonly ms: number
}

export interface DoctorReport {
  readonly address: string
  readonly ok: boolean
  /** In order; the last one is the first that failed, if one did. */
  readonly steps: readonly DoctorStep[]
}

/**
 * @example
 * const { ok, steps } = await examine('tcp://127.0.0.1:4444', { subnet: 'mesh' })
 */
export async function examine(
  address: string,
  options: {
    /** The network that is expected there; default `mesh`. */
    readonly subnet?: string
    /** For each step; default 10 s. */
    readonly timeoutMs?: number
    readonly transports?: readonly Transport[]
  } = {},
): Promise<DoctorReport> {
  const { subnet = 'mesh', timeoutMs = defaultLimits.dialTimeoutMs } = options
  const transports = options.transports ?? createDefaultTransports()
  const steps: DoctorStep[] = []
  const step = async <Result>(
    name: DoctorStepName,
    run: () => Promise<readonly [result: Result, detail: string]>,
  ): Promise<Result> => {
    const startedMs = performance.now()
    const took = (): number => Math.round(10 * (performance.now() - startedMs)) / 10
    try {
      const [result, detail] = await run()
      steps.push({ name, ok: true, detail, ms: took() })
      return result
    } catch (error) {
      const known = isP2pError(error) ? error : new P2pError('P2P_INTERNAL', String(error))
      steps.push({ name, ok: false, detail: known.message, code: known.code, ms: took() })
      throw known
    }
  }
  let link: Link | undefined
  try {
    const transport = await step('address', () => findTransport(address, transports))
    link = await step('link', async () => {
      const opened = await transport.dial(address, { timeoutMs })
      return [opened, `the ${opened.transport} link is open`]
    })
    const own = new OwnIdentities({ id: randomId(), subnet }).of(link.transport)
    const open = link
    const handshake = await step('handshake', () => shakeHands(open, own, timeoutMs))
    await step('network', () => Promise.resolve(checkNetwork(handshake, own.networkId)))
    await step('compression', () => Promise.resolve(describeCompression(handshake)))
  } catch {
    // The step that failed has been noted.
  } finally {
    link?.destroy()
  }
  return { address, ok: steps.every(({ ok }) => ok), steps }
}

async function findTransport(
  address: string,
  transports: readonly Transport[],
): Promise<readonly [Transport, string]> {
  await Promise.resolve()
  const scheme = parseAddress(address)?.transport
  if (scheme === undefined) {
    throw new P2pError('P2P_BAD_ADDRESS', `"${address}" is no address such as tcp://host:4444`)
  }
  const transport = transports.find(({ schemes }) => schemes.includes(scheme))
  if (transport === undefined) {
    throw new P2pError('P2P_NO_TRANSPORT', `there is no transport for ${scheme} here`)
  }
  return [transport, `${scheme} is understood`]
}

function shakeHands(
  link: Link,
  own: ReturnType<OwnIdentities['of']>,
  timeoutMs: number,
): Promise<readonly [Handshake, string]> {
  const now = { monoMs: 0, utcSeconds: Date.now() / 1_000 }
  const connection = new Connection({
    link: 0,
    transport: link.transport,
    remote: link.remote,
    dial: 0,
    own,
    nonce: crypto.getRandomValues(new Uint8Array(nonceBytes)),
    limits: defaultLimits,
    frames: new FrameCache(),
    openedMs: 0,
  })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const text = 'the link is open, but the other end sends no handshake'
      reject(new P2pError('P2P_HANDSHAKE_TIMEOUT', text))
    }, timeoutMs)
    link.attach({
      onBytes: (bytes) => {
        for (const arrival of connection.receive(bytes, now)) {
          if (arrival.type === 'failed') reject(arrival.error)
          if (arrival.type !== 'handshake') continue
          const { handshake } = arrival
          resolve([handshake, `${handshake.kind} with id ${handshake.id}`])
        }
      },
      onDrain: () => undefined,
      onClose: (cause) => {
        clearTimeout(timer)
        const text = 'the other end closed the link before a handshake'
        reject(new P2pError('P2P_CLOSED_IN_HANDSHAKE', text, { cause }))
      },
    })
    link.send(connection.handshakeFrame(now))
  })
}

function checkNetwork(handshake: Handshake, expected: string): readonly [void, string] {
  if (handshake.networkId !== expected) throw wrongNetworkError(expected, handshake.networkId)
  return [undefined, 'the same subnet, encryption and version']
}

function describeCompression({ methods }: Handshake): readonly [void, string] {
  const method = negotiate(offeredMethods, methods)
  const agreed = method === undefined ? 'none in common: uncompressed' : `0x${method.toString(16)}`
  return [undefined, `offered ${JSON.stringify(methods)}, agreed ${agreed}`]
}

function randomId(): string {
  return encodeBase58Integer(crypto.getRandomValues(new Uint8Array(48)))
}
