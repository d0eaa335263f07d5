/**
 * The three kinds of pickles that p2py nodes exchange, read with their shapes checked.
 *
 *  info      dict HOST, PORT, UUID: the first frame of each side
 *  flag      bool: "keep this link" right after the info, "good-bye" when False comes later
 *  message   dict with `type`, usually `data`; with `request_id` when it answers a request
 *  request   instance of Request: callback_address, request_id, contents (a message)
 *
 * Source: spec p2py, 2 and 3; p2py 0.23 p2p.py, Connection.run.
 */
import { PyRequest, type PyValue } from '../pickle/values.ts'
import {
  addressToTuple,
  createNodeAddress,
  readNodeAddress,
  type NodeAddress,
} from './node-address.ts'

/** A message as an application writes it; further keys travel beside `type` and `data`. */
export interface OutgoingMessage {
  readonly type: string
  readonly data?: PyValue
  readonly [key: string]: PyValue | undefined
}

/** A message as it came. */
export interface IncomingMessage {
  readonly type: string
  /** Undefined when the message has no `data`. */
  readonly data: PyValue | undefined
  /** Everything in the dict, `type` and `data` included. */
  readonly fields: ReadonlyMap<PyValue, PyValue>
}

/** The answer to a request. p2py nodes always give it a type; a rendezvous server need not. */
export interface Response {
  readonly type: string | undefined
  readonly data: PyValue | undefined
  readonly fields: ReadonlyMap<PyValue, PyValue>
}

export interface NodeInfo {
  readonly address: NodeAddress
  readonly uuid: number | null
  /** True when the node names itself one of ours, by a key that p2py ignores. */
  readonly isOurs: boolean
}

export interface RequestEnvelope {
  readonly callbackAddress: NodeAddress
  readonly requestId: string
  readonly contents: IncomingMessage
}

export type WireUnit =
  | { readonly kind: 'flag'; readonly value: boolean }
  | {
      readonly kind: 'message'
      readonly requestId: string | undefined
      readonly message: Response
    }
  | { readonly kind: 'request'; readonly envelope: RequestEnvelope }
  /** Nothing that means anything to p2py: dropped without harm. */
  | { readonly kind: 'meaningless'; readonly why: string }

/**
 * Largest UUID that is believed; far above any network. Numbers are hashed without a seed: of those up to
 * 2^31 tens of thousands can be chosen that all collide in our tables, of these too few to matter.
 */
export const maxUuid: number = 2 ** 20 - 1

/** Most characters of a request id; p2py's have six. */
const maxRequestIdLength = 64

/** The key that tells our nodes apart; p2py looks at HOST, PORT and UUID only. */
const extensionKey = 'P2P'

export function isUuid(value: PyValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= maxUuid
}

export function encodeInfo(info: NodeInfo): PyValue {
  const { host, port } = info.address
  const fields = new Map<PyValue, PyValue>([
    ['HOST', host],
    ['PORT', port],
    ['UUID', info.uuid],
  ])
  if (info.isOurs) fields.set(extensionKey, 1)
  return fields
}

/** Undefined when the first value of a link is no usable info. */
export function readInfo(value: PyValue): NodeInfo | undefined {
  if (!(value instanceof Map)) return undefined
  const fields: ReadonlyMap<PyValue, PyValue> = value
  const address = createNodeAddress(fields.get('HOST'), fields.get('PORT'))
  const uuid = fields.get('UUID') ?? null
  if (address === undefined || !(uuid === null || isUuid(uuid))) return undefined
  return { address, uuid, isOurs: fields.get(extensionKey) === 1 }
}

/** Everything that may follow the info. */
export function readUnit(value: PyValue): WireUnit {
  if (typeof value === 'boolean') return { kind: 'flag', value }
  if (value instanceof PyRequest) return readRequest(value)
  if (!(value instanceof Map)) return { kind: 'meaningless', why: 'neither dict, bool nor Request' }
  const fields: ReadonlyMap<PyValue, PyValue> = value
  const type = fields.get('type')
  const requestId = fields.get('request_id')
  if (type !== undefined && typeof type !== 'string') {
    return { kind: 'meaningless', why: 'a type that is no text' }
  }
  if (requestId !== undefined && !isRequestId(requestId)) {
    return { kind: 'meaningless', why: 'a request_id that is no short text' }
  }
  if (type === undefined && requestId === undefined) {
    return { kind: 'meaningless', why: 'a dict without type' }
  }
  return { kind: 'message', requestId, message: { type, data: fields.get('data'), fields } }
}

function readRequest(request: PyRequest): WireUnit {
  const callbackAddress = readNodeAddress(request.state.get('callback_address'))
  const requestId = request.state.get('request_id')
  const contents = request.state.get('contents')
  if (callbackAddress === undefined)
    return { kind: 'meaningless', why: 'a Request without address' }
  if (!isRequestId(requestId)) return { kind: 'meaningless', why: 'a Request without short id' }
  const message = contents instanceof Map ? readMessage(contents) : undefined
  if (message === undefined) return { kind: 'meaningless', why: 'a Request without typed contents' }
  return { kind: 'request', envelope: { callbackAddress, requestId, contents: message } }
}

/** Undefined for a dict without a type that is text. */
export function readMessage(fields: ReadonlyMap<PyValue, PyValue>): IncomingMessage | undefined {
  const type = fields.get('type')
  return typeof type === 'string' ? { type, data: fields.get('data'), fields } : undefined
}

function isRequestId(value: PyValue | undefined): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxRequestIdLength
}

/** The dict of a message; keys without a value are left out. */
export function encodeMessage(message: OutgoingMessage): Map<PyValue, PyValue> {
  const fields = new Map<PyValue, PyValue>()
  for (const [key, value] of Object.entries(message)) {
    if (value !== undefined) fields.set(key, value)
  }
  return fields
}

/** An answer: the dict with the id of the request behind everything else. */
export function encodeResponse(
  fields: ReadonlyMap<PyValue, PyValue>,
  requestId: string,
): Map<PyValue, PyValue> {
  const response = new Map(fields)
  response.delete('request_id')
  return response.set('request_id', requestId)
}

/** A Request with its attributes in the order of p2py; the address is a tuple, which p2py needs. */
export function encodeRequest(request: {
  readonly callbackAddress: NodeAddress
  readonly requestId: string
  readonly contents: ReadonlyMap<PyValue, PyValue>
}): PyRequest {
  const contents = new Map(request.contents)
  contents.delete('request_id')
  return new PyRequest(
    new Map<string, PyValue>([
      ['callback_address', addressToTuple(request.callbackAddress)],
      ['request_id', request.requestId],
      ['contents', contents],
    ]),
  )
}
