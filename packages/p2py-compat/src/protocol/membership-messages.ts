/**
 * The messages by which p2py keeps its network together: names, field names, and readers that check
 * shapes. The capital A of `Address` in NEW PEER is p2py's.
 *
 * Source: spec p2py, 4, 5, 7 and 8; p2py 0.23 p2p.py, handle_join_request and the handlers after it.
 */
import type { PyValue } from '../pickle/values.ts'
import { isUuid, type OutgoingMessage, type Response } from './messages.ts'
import { addressToTuple, readNodeAddress, type NodeAddress } from './node-address.ts'

export const messageTypes = {
  test: 'TEST',
  text: 'TEXT',
  joinRequest: 'JOIN REQUEST',
  joinFinalized: 'JOIN REQUEST FINALIZED',
  newPeer: 'NEW PEER',
  peerLeft: 'PEER LEFT',
  uuidAddressRequest: 'UUID ADDRESS REQUEST',
  uuidAddressResponse: 'UUID ADDRESS REQUEST RESPONSE',
  killConnection: 'KILL CONNECTION',
} as const

/** What a node accepts from a peer that is in no network; everything else is dropped in silence. */
export const typesForStrangers: ReadonlySet<string> = new Set([
  messageTypes.joinRequest,
  messageTypes.joinFinalized,
  messageTypes.text,
  messageTypes.test,
])

/** Types that the protocol itself handles; an application cannot have handlers for them. */
export const protocolTypes: ReadonlySet<string> = new Set([
  messageTypes.joinRequest,
  messageTypes.joinFinalized,
  messageTypes.newPeer,
  messageTypes.peerLeft,
  messageTypes.uuidAddressRequest,
  messageTypes.uuidAddressResponse,
  messageTypes.killConnection,
  messageTypes.test,
])

export interface JoinFinalized {
  readonly joinerUuid: number
  readonly adderUuid: number
  readonly networkSize: number
  readonly activePeers: readonly number[]
}

export function joinRequest(address: NodeAddress): OutgoingMessage {
  return { type: messageTypes.joinRequest, data: { address: addressToTuple(address) } }
}

export function readJoinRequest(message: Response): NodeAddress | undefined {
  return readNodeAddress(dataField(message, 'address'))
}

export function joinFinalized(values: JoinFinalized): OutgoingMessage {
  return {
    type: messageTypes.joinFinalized,
    data: {
      joiner_UUID: values.joinerUuid,
      adder_UUID: values.adderUuid,
      network_size: values.networkSize,
      active_peers: [...values.activePeers],
    },
  }
}

export function readJoinFinalized(
  message: Response,
  maxMembers: number,
): JoinFinalized | undefined {
  const joinerUuid = dataField(message, 'joiner_UUID')
  const adderUuid = dataField(message, 'adder_UUID')
  const networkSize = dataField(message, 'network_size')
  const activePeers = dataField(message, 'active_peers')
  if (!isUuid(joinerUuid) || !isUuid(adderUuid) || joinerUuid === adderUuid) return undefined
  if (!isUuid(networkSize) || !Array.isArray(activePeers)) return undefined
  const uuids: readonly PyValue[] = activePeers
  if (uuids.length > maxMembers || !uuids.every(isUuid)) return undefined
  return { joinerUuid, adderUuid, networkSize, activePeers: uuids }
}

export function newPeer(uuid: number, address: NodeAddress): OutgoingMessage {
  return { type: messageTypes.newPeer, data: { UUID: uuid, Address: addressToTuple(address) } }
}

export function readNewPeer(
  message: Response,
): { readonly uuid: number; readonly address: NodeAddress } | undefined {
  const uuid = dataField(message, 'UUID')
  const address = readNodeAddress(dataField(message, 'Address'))
  return isUuid(uuid) && address !== undefined ? { uuid, address } : undefined
}

export function peerLeft(uuid: number): OutgoingMessage {
  return { type: messageTypes.peerLeft, data: { UUID: uuid } }
}

export function readPeerLeft(message: Response): number | undefined {
  const uuid = dataField(message, 'UUID')
  return isUuid(uuid) ? uuid : undefined
}

export function uuidAddressRequest(uuid: number, callback: NodeAddress): OutgoingMessage {
  return {
    type: messageTypes.uuidAddressRequest,
    data: { UUID: uuid, callback_address: addressToTuple(callback) },
  }
}

export function readUuidAddressRequest(message: Response): number | undefined {
  const uuid = dataField(message, 'UUID')
  return isUuid(uuid) ? uuid : undefined
}

export function uuidAddressResponse(uuid: number, address: NodeAddress): OutgoingMessage {
  return {
    type: messageTypes.uuidAddressResponse,
    data: { UUID: uuid, address: addressToTuple(address) },
  }
}

export function readUuidAddressResponse(
  message: Response,
): { readonly uuid: number; readonly address: NodeAddress } | undefined {
  const uuid = dataField(message, 'UUID')
  const address = readNodeAddress(dataField(message, 'address'))
  return isUuid(uuid) && address !== undefined ? { uuid, address } : undefined
}

export const killConnection: OutgoingMessage = { type: messageTypes.killConnection }

export const testAnswer: OutgoingMessage = { type: messageTypes.text, data: 'Hi!' }

function dataField(message: Response, name: string): PyValue | undefined {
  const data = message.data
  if (!(data instanceof Map)) return undefined
  const fields: ReadonlyMap<PyValue, PyValue> = data
  return fields.get(name)
}
