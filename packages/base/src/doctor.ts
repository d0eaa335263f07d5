/**
 * Walks the steps from an address to a usable peer and says which is the first that fails. Opens one
 * link of its own, sends one handshake, and closes again; no node is needed.
 */
import {
  FrameSplitter,
  concatBytes,
  decodeFrame,
  encodeBase58Integer,
  negotiate,
  offeredMethods,
} from '@p2p/serializer'
import { createDefaultTransports } from '#default-transports'
import { timerDelay } from './node-shell.ts'
import { recogniseAnswer, recogniseOlderNetwork, tlsThereError } from './other-speech.ts'
import { formatAddress, parseAddress } from './protocol/address.ts'
import { Connection } from './protocol/connection.ts'
import { P2pError, isP2pError } from './protocol/errors.ts'
import { FrameCache } from './protocol/frame-cache.ts'
import { isHandshake } from './protocol/handshake.ts'
import type { Handshake } from './protocol/handshake.ts'
import { nonceBytes } from './protocol/hello.ts'
import { defaultLimits } from './protocol/limits.ts'
import { OwnIdentities } from './protocol/own-identities.ts'
import type { TransportName } from './protocol/link.ts'
import { wrongNetworkError } from './protocol/peer-errors.ts'
import type { Link, Transport } from './transport.ts'

export type DoctorStepName = 'address' | 'link' | 'handshake' | 'network' | 'compression' | 'clock'

/** Broadcasts that seem older than this are dropped by everybody (spec/mesh.md, 5). */
const maxClockSkewSeconds = 60
/** More is not needed to tell what the other end is. */
const maxKeptBytes = 65_536

/** What the other end sent first. */
interface FirstWords {
  readonly handshake: Handshake
  /** How far its clock is ahead of this one. */
  readonly aheadSeconds: number
}

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
 * @throws RangeError for a time-out that is no number above 0
 *
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
  const { subnet = 'mesh' } = options
  const timeoutMs = timerDelay(options.timeoutMs ?? defaultLimits.dialTimeoutMs)
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
    const words = await step('handshake', async () => {
      try {
        return await shakeHands(open, own, timeoutMs)
      } catch (error) {
        throw (await findTls(address, { error, timeoutMs, transports })) ?? error
      }
    })
    const { handshake, aheadSeconds } = words
    const there = { subnet, transport: link.transport, expected: own.networkId }
    await step('network', async () => checkNetwork(handshake, there))
    await step('compression', async () => describeCompression(handshake))
    await step('clock', async () => checkClock(aheadSeconds))
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

async function shakeHands(
  link: Link,
  own: ReturnType<OwnIdentities['of']>,
  timeoutMs: number,
): Promise<readonly [FirstWords, string]> {
  const chunks: Uint8Array[] = []
  try {
    const handshake = await receiveHandshake(link, own, { timeoutMs, chunks })
    const aheadSeconds = handshakeTime(concatBytes(...chunks)) - Date.now() / 1_000
    return [{ handshake, aheadSeconds }, `${handshake.kind} with id ${handshake.id}`]
  } catch (error) {
    const recognised = await recogniseAnswer(concatBytes(...chunks))
    throw recognised ?? error
  }
}

/** TLS servers hang up on whoever does not speak TLS, without a word: tries whether this is one. */
async function findTls(
  address: string,
  {
    error,
    timeoutMs,
    transports,
  }: {
    readonly error: unknown
    readonly timeoutMs: number
    readonly transports: readonly Transport[]
  },
): Promise<P2pError | undefined> {
  const hungUp = isP2pError(error) && error.code === 'P2P_CLOSED_IN_HANDSHAKE'
  const tls = transports.find(({ schemes }) => schemes.includes('tls'))
  const parsed = parseAddress(address)
  if (!hungUp || tls === undefined || parsed?.transport !== 'tcp') return undefined
  try {
    const link = await tls.dial(formatAddress({ ...parsed, transport: 'tls' }), { timeoutMs })
    link.destroy()
    return tlsThereError()
  } catch {
    return undefined
  }
}

function receiveHandshake(
  link: Link,
  own: ReturnType<OwnIdentities['of']>,
  { timeoutMs, chunks }: { readonly timeoutMs: number; readonly chunks: Uint8Array[] },
): Promise<Handshake> {
  const now = { monoMs: 0, utcSeconds: Date.now() / 1_000 }
  const connection = new Connection({
    link: 0,
    transport: link.transport,
    remote: link.remote,
    dial: 0,
    own,
    nonce: crypto.getRandomValues(new Uint8Array(nonceBytes)),
    limits: defaultLimits,
    frames: new FrameCache(defaultLimits),
    openedMs: 0,
  })
  let keptBytes = 0
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const text = 'the link is open, but the other end sends no handshake'
      reject(new P2pError('P2P_HANDSHAKE_TIMEOUT', text))
    }, timeoutMs)
    link.attach({
      onBytes: (bytes) => {
        if (keptBytes < maxKeptBytes) chunks.push(bytes)
        keptBytes += bytes.length
        connection.receive(bytes, now, (arrival) => {
          if (arrival.type === 'failed') reject(arrival.error)
          if (arrival.type === 'handshake') resolve(arrival.handshake)
          return 'go-on'
        })
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

/** UTC seconds at which the handshake among these frames was written. */
function handshakeTime(bytes: Uint8Array): number {
  for (const frame of new FrameSplitter().push(bytes)) {
    const message = decodeFrame(frame)
    if (isHandshake(message)) return message.time
  }
  return NaN
}

function checkNetwork(
  { networkId }: Handshake,
  there: { readonly subnet: string; readonly transport: TransportName; readonly expected: string },
): readonly [void, string] {
  if (networkId !== there.expected) {
    throw recogniseOlderNetwork(networkId, there) ?? wrongNetworkError(there.expected, networkId)
  }
  return [undefined, 'the same subnet, encryption and version']
}

function describeCompression({ methods }: Handshake): readonly [void, string] {
  const method = negotiate(offeredMethods, methods)
  const agreed = method === undefined ? 'none in common: uncompressed' : `0x${method.toString(16)}`
  return [undefined, `offered ${JSON.stringify(methods)}, agreed ${agreed}`]
}

function checkClock(aheadSeconds: number): readonly [void, string] {
  const seconds = Math.round(Math.abs(aheadSeconds))
  const direction = aheadSeconds < 0 ? 'behind' : 'ahead of'
  const text = `its clock is ${seconds} s ${direction} this one`
  if (seconds > maxClockSkewSeconds) {
    const effect = `messages that seem older than ${maxClockSkewSeconds} s are dropped`
    throw new P2pError('P2P_CLOCK_SKEW', `${text}: ${effect}`, { facts: { aheadSeconds } })
  }
  return [undefined, seconds <= 1 ? 'the clocks agree' : text]
}

function randomId(): string {
  return encodeBase58Integer(crypto.getRandomValues(new Uint8Array(48)))
}
