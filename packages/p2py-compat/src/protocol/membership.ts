/**
 * What a node knows about its network: its UUID, the living members, the UUIDs that became free,
 * last known addresses, and its peer book (which member is on which link). Plain state; `machine.ts`
 * and its parts decide.
 */
import type { LinkId } from '@p2p/base'
import type { P2pyLimits } from './limits.ts'
import type { NodeAddress } from './node-address.ts'
import { areSuccessors, successorsOf } from './successors.ts'

/** How somebody left, as far as we know. */
export interface Departure {
  readonly leftMs: number
  /** It said good-bye, or nobody listens where it was. */
  readonly isSure: boolean
  /** It was our neighbour, and could not be reached any more. */
  readonly isLost: boolean
  /** When we last looked for it in vain; −Infinity when we never did. */
  readonly missedMs: number
}

export class Membership {
  readonly #limits: P2pyLimits
  readonly #active = new Set<number>()
  /** UUIDs of the departed, oldest first. */
  readonly #free = new Map<number, Departure>()
  readonly #addresses = new Map<number, NodeAddress>()
  readonly #book = new Map<number, LinkId>()
  #uuid: number | null = null
  /** The living UUIDs next to ours. */
  #nextAbove = Infinity
  #nextBelow = -1

  constructor(limits: P2pyLimits) {
    this.#limits = limits
  }

  /** Null while in no network. */
  get uuid(): number | null {
    return this.#uuid
  }

  /** Known members, ourselves included; 1 while in no network, as in p2py. */
  get networkSize(): number {
    return this.#active.size + 1
  }

  /** The other members. */
  get active(): ReadonlySet<number> {
    return this.#active
  }

  get free(): ReadonlyMap<number, Departure> {
    return this.#free
  }

  get book(): ReadonlyMap<number, LinkId> {
    return this.#book
  }

  /** Highest UUID of the network as far as we know; −1 while in none. */
  get highest(): number {
    let highest = this.#uuid ?? -1
    for (const uuid of this.#active) highest = Math.max(highest, uuid)
    return highest
  }

  /** Begins a life in a network. */
  enter(uuid: number): void {
    this.leave()
    this.#uuid = uuid
  }

  leave(): void {
    this.#uuid = null
    this.#active.clear()
    this.#free.clear()
    this.#addresses.clear()
    this.#book.clear()
    this.#findNeighbours()
  }

  isMember(uuid: number): boolean {
    return uuid === this.#uuid || this.#active.has(uuid)
  }

  /** False when it was known already, is ourselves, or there are too many. */
  addMember(uuid: number): boolean {
    if (this.isMember(uuid) || this.#active.size >= this.#limits.maxMembers) return false
    this.#active.add(uuid)
    this.#noteNeighbour(uuid)
    this.#free.delete(uuid)
    return true
  }

  /** Takes the member out of everything but the addresses, and remembers its UUID as free. */
  removeMember(uuid: number, departure: Omit<Departure, 'missedMs'>): boolean {
    this.#book.delete(uuid)
    if (!this.#active.delete(uuid)) return false
    if (uuid === this.#nextAbove || uuid === this.#nextBelow) this.#findNeighbours()
    this.#free.delete(uuid)
    this.#free.set(uuid, { ...departure, missedMs: -Infinity })
    for (const oldest of this.#free.keys()) {
      if (this.#free.size <= this.#limits.maxFreeUuids) break
      this.#free.delete(oldest)
    }
    return true
  }

  /** Somebody who left was looked for in vain. */
  missed(uuid: number, monoMs: number): void {
    const departure = this.#free.get(uuid)
    if (departure !== undefined) this.#free.set(uuid, { ...departure, missedMs: monoMs })
  }

  /** Whether a UUID may be given to somebody else: its owner is gone for sure, or was looked for in vain after a while. */
  isReusable(uuid: number): boolean {
    const departure = this.#free.get(uuid)
    if (departure === undefined) return false
    return (
      departure.isSure || departure.missedMs - departure.leftMs >= this.#limits.uuidQuarantineMs
    )
  }

  addressOf(uuid: number): NodeAddress | undefined {
    return this.#addresses.get(uuid)
  }

  setAddress(uuid: number, address: NodeAddress): void {
    const isNew = !this.#addresses.has(uuid)
    if (isNew && this.#addresses.size >= this.#limits.maxMembers + this.#limits.maxFreeUuids) return
    this.#addresses.set(uuid, address)
  }

  setBookEntry(uuid: number, link: LinkId): void {
    this.#book.set(uuid, link)
  }

  deleteBookEntry(uuid: number): void {
    this.#book.delete(uuid)
  }

  /** Whether this member belongs into our peer book. */
  wants(uuid: number): boolean {
    if (this.#uuid === null || !this.#active.has(uuid)) return false
    return areSuccessors(this.#uuid, uuid) || uuid === this.#nextAbove || uuid === this.#nextBelow
  }

  /** Members that belong into our peer book and are not there. */
  missing(): readonly number[] {
    if (this.#uuid === null) return []
    const candidates = new Set(successorsOf(this.#uuid, this.highest + 1))
    candidates.add(this.#nextAbove).add(this.#nextBelow)
    return [...candidates].filter((uuid) => this.#active.has(uuid) && !this.#book.has(uuid))
  }

  /** Peer book, nearest to this UUID first; ties go to the smaller UUID. */
  bookByDistance(uuid: number): readonly number[] {
    return [...this.#book.keys()].sort(
      (one, other) => Math.abs(one - uuid) - Math.abs(other - uuid) || one - other,
    )
  }

  #findNeighbours(): void {
    this.#nextAbove = Infinity
    this.#nextBelow = -1
    for (const uuid of this.#active) this.#noteNeighbour(uuid)
  }

  #noteNeighbour(uuid: number): void {
    const own = this.#uuid ?? -1
    if (uuid > own && uuid < this.#nextAbove) this.#nextAbove = uuid
    if (uuid < own && uuid > this.#nextBelow) this.#nextBelow = uuid
  }
}
