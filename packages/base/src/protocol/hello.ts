/**
 * What two nodes of ours say to each other once both handshakes carried the marker. Old peers never
 * get any of it, and would ignore it (spec/capabilities.md, 3.2).
 *
 *   hello    whisper [0x7032, { version, features, nonce, addresses, maxFrameBytes }]
 *   control  whisper [0x7033, verb, nonce]      verbs: ping pong claim claimed unclaimed
 *   filler   whisper [0x7034, 0] and a tail     means nothing, takes up space (python-framing.ts)
 *
 * `claim` asks, on an established link, whether the peer has itself opened the other link on which a
 * hello with this nonce came; `claimed` and `unclaimed` answer. A feature is in force when both
 * named it.
 */
import { idText, wholeNumber } from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import { parseAddress } from './address.ts'

export const helloFlag = 0x7032
export const controlFlag = 0x7033
export const fillerFlag = 0x7034

export const helloVersion = 1
/** Bytes of a nonce: enough that nobody guesses one within the life of a link. */
export const nonceBytes = 8

const maxFeatures = 64
const maxFeatureCharacters = 64
const maxAddresses = 8

export interface Hello {
  readonly version: number
  readonly features: ReadonlySet<string>
  /** Base58 or hex is not needed: nonces are only compared. Latin-1 text of the bytes. */
  readonly nonce: string
  /** All address URLs on which the peer listens. */
  readonly addresses: readonly string[]
  readonly maxFrameBytes: number | undefined
}

export const controlVerbs = ['ping', 'pong', 'claim', 'claimed', 'unclaimed'] as const
export type ControlVerb = (typeof controlVerbs)[number]

export interface Control {
  readonly verb: ControlVerb
  readonly nonce: Uint8Array
}

export function createHelloPayload(own: {
  readonly features: Iterable<string>
  readonly nonce: Uint8Array
  readonly addresses: readonly string[]
  readonly maxFrameBytes: number
}): readonly Value[] {
  const { features, nonce, addresses, maxFrameBytes } = own
  return [
    helloFlag,
    {
      version: helloVersion,
      features: [...features],
      nonce,
      addresses: addresses.slice(0, maxAddresses),
      maxFrameBytes,
    },
  ]
}

/** Reads a hello; undefined when it cannot be understood. Unknown entries are ignored. */
export function parseHello(message: WireMessage): Hello | undefined {
  const map = message.payload[1]
  if (!isRecord(map)) return undefined
  const { version, features, nonce, addresses, maxFrameBytes } = map
  const versionNumber = wholeNumber(version)
  if (versionNumber === undefined || !(nonce instanceof Uint8Array)) return undefined
  if (nonce.length !== nonceBytes || !Array.isArray(features)) return undefined
  return {
    version: versionNumber,
    features: new Set(textsOf(features, maxFeatures, maxFeatureCharacters)),
    nonce: nonceText(nonce),
    addresses: textsOf(Array.isArray(addresses) ? addresses : [], maxAddresses, 300).filter(
      (text) => parseAddress(text) !== undefined,
    ),
    maxFrameBytes: wholeNumber(maxFrameBytes),
  }
}

export function createControlPayload(control: Control): readonly Value[] {
  return [controlFlag, control.verb, control.nonce]
}

export function parseControl(message: WireMessage): Control | undefined {
  const verb = controlVerbs.find((known) => known === idText(message.payload[1]))
  const nonce = message.payload[2]
  if (verb === undefined || !(nonce instanceof Uint8Array)) return undefined
  return nonce.length === nonceBytes ? { verb, nonce } : undefined
}

/** A nonce as a text that can be compared and used as a key. */
export function nonceText(nonce: Uint8Array): string {
  return String.fromCharCode(...nonce)
}

function textsOf(values: readonly unknown[], maxCount: number, maxCharacters: number): string[] {
  return values
    .slice(0, maxCount)
    .filter((value) => typeof value === 'string')
    .filter((text) => text.length <= maxCharacters)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array)
  )
}
