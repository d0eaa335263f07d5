/**
 * What the application can order (commands) and what it is told (events). Each command is answered
 * that has a number is answered by exactly one `done` or `failed` with it.
 */
import type { LinkId, P2pError } from '@p2p/base'
import type { PyValue } from '../pickle/values.ts'
import type { IncomingMessage, Response } from './messages.ts'
import type { NodeAddress } from './node-address.ts'

/** Numbers a command; chosen by the caller, never used twice. */
export type CommandId = number

/** Numbers a request of somebody else; chosen by the machine. */
export type RequestToken = number

export type Target =
  { readonly uuid: number } | { readonly address: NodeAddress } | { readonly link: LinkId }

export type P2pyCommand =
  /** Leave whatever network this is, then join through the first address that answers. */
  | {
      readonly type: 'join'
      readonly command: CommandId
      readonly addresses: readonly NodeAddress[]
    }
  /** Say good-bye on every link and close it. */
  | { readonly type: 'leave'; readonly command: CommandId }
  | {
      readonly type: 'send-message'
      readonly command: CommandId
      readonly target: Target
      readonly fields: ReadonlyMap<PyValue, PyValue>
    }
  | {
      readonly type: 'send-to-book'
      readonly command: CommandId
      readonly fields: ReadonlyMap<PyValue, PyValue>
      readonly exclude: readonly number[]
    }
  | {
      readonly type: 'request'
      readonly command: CommandId
      readonly target: Target
      readonly fields: ReadonlyMap<PyValue, PyValue>
      readonly timeoutMs: number
    }
  | {
      readonly type: 'respond'
      readonly command: CommandId
      readonly request: RequestToken
      readonly fields: ReadonlyMap<PyValue, PyValue>
    }
  | {
      readonly type: 'bounce'
      readonly command: CommandId
      readonly request: RequestToken
      readonly target: Target
    }
  /** Nobody will answer this request. Has no answer itself. */
  | { readonly type: 'drop-request'; readonly request: RequestToken }
  /** Give the command of this number up: it fails, unless it is answered already. */
  | { readonly type: 'cancel'; readonly command: CommandId }

/** Who sent something. */
export interface Sender {
  readonly link: LinkId
  readonly address: NodeAddress
  /** Null for a node that is in no network, as far as it told us. */
  readonly uuid: number | null
}

export type P2pyEvent =
  | { readonly type: 'done'; readonly command: CommandId; readonly response: Response | undefined }
  | { readonly type: 'failed'; readonly command: CommandId; readonly error: P2pError }
  | { readonly type: 'joined'; readonly uuid: number; readonly networkSize: number }
  | { readonly type: 'left' }
  | { readonly type: 'message'; readonly from: Sender; readonly message: IncomingMessage }
  | {
      readonly type: 'request-received'
      readonly from: Sender
      readonly request: RequestToken
      readonly requestId: string
      readonly callbackAddress: NodeAddress
      readonly message: IncomingMessage
    }
  | {
      readonly type: 'peer-joined'
      readonly uuid: number
      readonly address: NodeAddress | undefined
    }
  | { readonly type: 'peer-left'; readonly uuid: number }
  /** No neighbour can be reached any more, perhaps since our own line is down. They are dialled on. */
  | { readonly type: 'isolated'; readonly error: P2pError }
  /** Something a peer sent was refused or dropped; the link may be gone as well. */
  | { readonly type: 'rejected'; readonly remote: string; readonly error: P2pError }
