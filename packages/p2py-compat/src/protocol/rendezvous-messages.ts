/**
 * What nodes and a rendezvous server say to each other.
 *
 * p2py's own part: the request CONNECTION_INIT_REQUEST, its answer, and the message CONNECTION INIT;
 * addresses are pairs (public, private) of (host, port) tuples. Ours, which only nodes of this
 * package send and get: the key `punch` in both, and the types PUNCH REGISTER, YOUR ADDRESS, RELAY
 * and RELAY END.
 *
 * @compat CONNECTION INIT is not sent to Python nodes: handling it ends the only thread in which they
 * handle messages. And answers carry a type, without which they end the thread of the link.
 *
 * Source: spec p2py, 9; p2py 0.23 p2p.py, connect_to_address and hole_punching.
 */
import { PyTuple, type PyValue } from '../pickle/values.ts'
import type { OutgoingMessage, Response } from './messages.ts'
import { addressToTuple, readNodeAddress, type NodeAddress } from './node-address.ts'

export const rendezvousTypes = {
  initRequest: 'CONNECTION_INIT_REQUEST',
  initResponse: 'CONNECTION INIT RESPONSE',
  init: 'CONNECTION INIT',
  yourAddress: 'YOUR ADDRESS',
  register: 'PUNCH REGISTER',
  relay: 'RELAY',
  relayEnd: 'RELAY END',
} as const

/** The key of a server's info that names its second port. */
export const probePortKey = 'PROBE_PORT'

export interface Endpoints {
  /** As the server sees it. */
  readonly publicAddress: NodeAddress
  /** As the node calls itself. */
  readonly privateAddress: NodeAddress
}

/** One attempt to bring two nodes together, as each of them is told. */
export interface Introduction {
  readonly target: Endpoints
  readonly source: Endpoints
  readonly token: string
  readonly isRequester: boolean
  readonly isIndependent: boolean
  readonly isPeerIndependent: boolean
}

export function yourAddress(address: NodeAddress): OutgoingMessage {
  return { type: rendezvousTypes.yourAddress, data: addressToTuple(address) }
}

export function readYourAddress(message: Response): NodeAddress | undefined {
  return readNodeAddress(message.data)
}

export function register(isIndependent: boolean): OutgoingMessage {
  return { type: rendezvousTypes.register, data: isIndependent }
}

export function initRequest(target: NodeAddress): OutgoingMessage {
  return { type: rendezvousTypes.initRequest, target_address: addressToTuple(target) }
}

export function readInitRequest(fields: ReadonlyMap<PyValue, PyValue>): NodeAddress | undefined {
  return readNodeAddress(fields.get('target_address'))
}

/** `to`: the answer to the requester, or the message to the other node. */
export function encodeIntroduction(type: string, introduction: Introduction): OutgoingMessage {
  const { target, source, token, isRequester, isIndependent, isPeerIndependent } = introduction
  return {
    type,
    trg_address: endpointsToTuple(target),
    src_address: endpointsToTuple(source),
    punch: {
      token,
      requester: isRequester,
      independent: isIndependent,
      peer_independent: isPeerIndependent,
    },
  }
}

/** The answer when nobody is registered under the wanted address. */
export function encodeUnknownTarget(source: Endpoints): OutgoingMessage {
  return {
    type: rendezvousTypes.initResponse,
    trg_address: null,
    src_address: endpointsToTuple(source),
  }
}

/** Undefined for an answer that offers no way. */
export function readIntroduction(message: Response): Introduction | undefined {
  const target = readEndpoints(message.fields.get('trg_address'))
  const source = readEndpoints(message.fields.get('src_address'))
  const punch = message.fields.get('punch')
  if (target === undefined || source === undefined || !(punch instanceof Map)) return undefined
  const fields: ReadonlyMap<PyValue, PyValue> = punch
  const token = fields.get('token')
  if (typeof token !== 'string' || token.length !== tokenLength) return undefined
  return {
    target,
    source,
    token,
    isRequester: fields.get('requester') === true,
    isIndependent: fields.get('independent') === true,
    isPeerIndependent: fields.get('peer_independent') === true,
  }
}

/** Characters of a token: 16 random bytes in hexadecimal. */
const tokenLength = 32

/** Most bytes of one relayed message. Longer ones are not passed on. */
export const relayedPieceBytes = 16_384

/** What either side may say to the other is small and flat, and has no numbers as keys. */
export const rendezvousPickleLimits = { maxValues: 1_024, maxDepth: 16 } as const

export function relay(token: string, bytes: Uint8Array): OutgoingMessage {
  return { type: rendezvousTypes.relay, data: { token, bytes } }
}

export function relayEnd(token: string): OutgoingMessage {
  return { type: rendezvousTypes.relayEnd, data: { token } }
}

export function readRelay(
  message: Response,
): { readonly token: string; readonly bytes: Uint8Array } | undefined {
  if (!(message.data instanceof Map)) return undefined
  const fields: ReadonlyMap<PyValue, PyValue> = message.data
  const token = fields.get('token')
  const bytes = fields.get('bytes') ?? new Uint8Array(0)
  if (typeof token !== 'string' || token.length !== tokenLength) return undefined
  if (!(bytes instanceof Uint8Array) || bytes.length > relayedPieceBytes) return undefined
  return { token, bytes }
}

function endpointsToTuple({ publicAddress, privateAddress }: Endpoints): PyTuple {
  return new PyTuple([addressToTuple(publicAddress), addressToTuple(privateAddress)])
}

function readEndpoints(value: PyValue | undefined): Endpoints | undefined {
  if (!(value instanceof PyTuple) || value.items.length !== 2) return undefined
  const publicAddress = readNodeAddress(value.items[0])
  const privateAddress = readNodeAddress(value.items[1])
  if (publicAddress === undefined || privateAddress === undefined) return undefined
  return { publicAddress, privateAddress }
}
