/**
 * How much work a neighbour may ask for with small messages: comparisons of the ring or of slots make a
 * node look at much more than they weigh, and send it. Each neighbour has an account that fills up
 * again; what it cannot pay is not done. The next comparison, half a minute later, makes up for it.
 */
import { clockwiseDistance, ringBits } from './ring.ts'
import type { Arc } from './ring.ts'
import type { RingMessage } from './ring-messages.ts'
import type { TableMessage } from './table-messages.ts'

/** What a newcomer asks of a node with 500,000 slots when it compares all of them. */
const fullAccount = 16_384
const perMs = 0.4
/** Work worth one: slots summed up, slots or records sent. */
const summedSlots = 512
const sentItems = 16
/** Written in one message: a key of one byte is hashed five times. */
const hashedKeys = 32
/** A comparison of the ring, whatever it finds: it is answered with one. */
const digestCost = 16

interface Account {
  left: number
  atMs: number
}

interface Sized {
  readonly size: number
}

/** What there is to look at. */
export interface Holdings {
  readonly slots: Sized
  readonly members: Sized
  readonly keys: Sized
}

export class PeerBudget {
  readonly #accounts = new Map<string, Account>()
  readonly #holdings: Holdings
  /** Messages that were not answered. */
  refused = 0

  constructor(holdings: Holdings) {
    this.#holdings = holdings
  }

  /** False when the neighbour has asked for too much. */
  pays(peer: string, message: TableMessage | RingMessage, nowMs: number): boolean {
    const cost = costOf(message, this.#holdings)
    if (cost === 0) return true
    const account = this.#accounts.get(peer) ?? { left: fullAccount, atMs: nowMs }
    const earned = (nowMs - account.atMs) * perMs
    account.left = Math.min(fullAccount, account.left + earned)
    account.atMs = nowMs
    this.#accounts.set(peer, account)
    if (account.left <= 0) {
      this.refused += 1
      return false
    }
    account.left -= cost
    return true
  }

  /** The neighbour is gone. */
  forget(peer: string): void {
    this.#accounts.delete(peer)
  }
}

/** 0 for what costs no more than its bytes. */
function costOf(message: TableMessage | RingMessage, holdings: Holdings): number {
  switch (message.type) {
    case 'digest':
      return digestCost + holdings.members.size / sentItems
    case 'keys':
      return 1 + (message.sums.length > 1 ? holdings.keys.size / sentItems : 0)
    case 'compare':
      return 1 + (holdings.slots.size * partOf(message.arc)) / summedSlots
    case 'list':
      return 1 + (holdings.slots.size * partOf(message.arc)) / sentItems
    case 'offer':
      return 1 + message.heads.length / sentItems
    case 'want':
      return 1 + message.slots.length / sentItems
    case 'copy':
      return message.copies.length / hashedKeys
    default:
      return 0
  }
}

/** Of the ring: 0 to 1. */
function partOf({ from, to }: Arc): number {
  if (from === to) return 1
  return Number(clockwiseDistance({ from, to }) >> BigInt(ringBits - 32)) / 2 ** 32
}
