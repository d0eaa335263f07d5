/**
 * What one `p2p node` process holds: its node, once `listen` came, and the messages a `reply` can
 * name. Reports what the node does as events.
 */
import { ChordNode } from '@p2p/chord'
import type { Mesh, ReceivedMessage } from '@p2p/mesh'
import { P2pyNode } from '@p2p/p2py-compat'
import type { Received } from '@p2p/p2py-compat'
import { SyncNode } from '@p2p/sync'
import { addressAt } from './encryption.ts'
import type { Encryption } from './encryption.ts'
import { describeFailure, LineError } from './line-error.ts'
import { keyToTagged, ownerToTagged } from './operations/dictionary.ts'
import type { Kind } from './kind-names.ts'
import { pythonToTagged } from './python-value.ts'
import { RememberedSenders } from './remembered-senders.ts'
import { valueToTagged } from './tagged-value.ts'

export class Session {
  readonly kind: Kind
  /** Name of the network, unless `listen` gives another. */
  readonly subnet: string
  /** Aborted when the process is to end: what is still being opened is given up. */
  readonly end: AbortController = new AbortController()
  readonly #write: (line: object) => void
  readonly #senders = new RememberedSenders()
  #node: Mesh | P2pyNode | undefined
  #encryption: Encryption = 'Plaintext'
  #closeStore: (() => Promise<void>) | undefined

  constructor(kind: Kind, write: (line: object) => void, subnet: string = kind) {
    this.kind = kind
    this.subnet = subnet
    this.#write = write
  }

  /** The node. Before `listen` there is none. */
  get node(): Mesh {
    const node = this.#open()
    if (!(node instanceof P2pyNode)) return node
    throw new LineError('P2P_WRONG_KIND', 'a p2py node has p2py commands only')
  }

  /** The node, as one of a p2py network. */
  get p2py(): P2pyNode {
    const node = this.#open()
    if (node instanceof P2pyNode) return node
    throw new LineError('P2P_WRONG_KIND', `a ${this.kind} node is in no p2py network`)
  }

  /** The node, as one that holds a dictionary. */
  get dictionary(): SyncNode {
    const { node } = this
    if (node instanceof SyncNode) return node
    throw new LineError('P2P_WRONG_KIND', `a ${this.kind} node has no dictionary`)
  }

  /** The node, as one of a hash table. */
  get table(): ChordNode {
    const { node } = this
    if (node instanceof ChordNode) return node
    throw new LineError('P2P_WRONG_KIND', `a ${this.kind} node has no hash table`)
  }

  get isOpen(): boolean {
    return this.#node !== undefined
  }

  /** What the network of the node runs over. */
  get encryption(): Encryption {
    return this.#encryption
  }

  emit(ev: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#write({ ev, at: Date.now() / 1_000, ...fields })
  }

  /** Takes a node that has just been opened and reports its events from now on. */
  adopt(node: Mesh, encryption: Encryption, closeStore?: () => Promise<void>): void {
    this.#node = node
    this.#encryption = encryption
    this.#closeStore = closeStore
    if (node instanceof SyncNode) this.#watchDictionary(node)
    if (node instanceof ChordNode) this.#watchTable(node)
    node.on('connect', () => this.emit('connect'))
    node.on('peer:join', (peer) =>
      this.emit('peer_join', { id: peer.id, address: peer.address ?? null }),
    )
    node.on('peer:leave', ({ peer, reason }) =>
      this.emit('peer_leave', { id: peer.id, reason: `${reason.code}: ${reason.message}` }),
    )
    node.on('message', (message) => this.#take(message))
    node.on('error', (error) => this.emit('error', { ...describeFailure(error) }))
  }

  /** The same for a node of a p2py network. */
  adoptP2py(node: P2pyNode): void {
    this.#node = node
    this.#encryption = 'Plaintext'
    node.on('joined', ({ uuid }) => this.emit('joined', { uuid }))
    node.on('peer:join', ({ uuid, address }) =>
      this.emit('peer_join', {
        id: String(uuid),
        address: address === undefined ? null : addressAt(...address, 'Plaintext'),
      }),
    )
    node.on('peer:leave', ({ uuid }) =>
      this.emit('peer_leave', { id: String(uuid), reason: 'left the network' }),
    )
    node.on('message', (received) => this.#takeP2py(received))
    node.on('error', (error) => this.emit('error', { ...describeFailure(error) }))
  }

  /** Who wrote the message with this id (hex), or the newest one. */
  senderOf(id: string | undefined): string {
    const sender = this.#senders.senderOf(id)
    if (sender === undefined)
      throw new LineError('P2P_UNKNOWN_MESSAGE', 'no such message to reply to')
    return sender
  }

  /** Closes the node, if there is one. */
  async close(): Promise<void> {
    const [node, closeStore] = [this.#node, this.#closeStore]
    // Both at once: what is opened meanwhile has a store of its own.
    this.#node = undefined
    this.#closeStore = undefined
    this.#senders.clear()
    try {
      await node?.close()
    } finally {
      await closeStore?.()
    }
  }

  #open(): Mesh | P2pyNode {
    if (this.#node === undefined)
      throw new LineError('P2P_NOT_LISTENING', 'there is no node: the first command is listen')
    return this.#node
  }

  #watchDictionary(node: SyncNode): void {
    node.on('update', ({ key, value, meta }) =>
      this.emit('update', {
        key: keyToTagged(key),
        value: valueToTagged(value),
        owner: ownerToTagged(meta.owner),
        timestamp: valueToTagged(meta.timestamp),
      }),
    )
    node.on('delete', ({ key }) => this.emit('delete', { key: keyToTagged(key) }))
    node.on('conflict', ({ key, lost, won }) =>
      this.emit('conflict', {
        key: keyToTagged(key),
        lost: valueToTagged(lost.value ?? null),
        won: valueToTagged(won.value ?? null),
      }),
    )
  }

  #watchTable(node: ChordNode): void {
    node.on('add', ({ key }) => this.emit('add', { key: keyToTagged(key) }))
    node.on('delete', ({ key }) => this.emit('delete', { key: keyToTagged(key) }))
    // As the drivers of the original programs call it.
    node.on('ring', ({ id, isStoring, size }) =>
      this.emit('peer_meta', { id, storing: isStoring, size }),
    )
  }

  /** A TEXT has an event of its own; messages of other types tell theirs. */
  #takeP2py({ type, data = null, from }: Received): void {
    const fields = { from: from.address, uuid: from.uuid, data: pythonToTagged(data) }
    if (type === 'TEXT') this.emit('text', fields)
    else this.emit('message', { type, ...fields })
  }

  #take(message: ReceivedMessage): void {
    const id = message.id
    this.#senders.remember(id, message.sender)
    this.emit('message', {
      id,
      sender: valueToTagged(message.wire.sender),
      time: valueToTagged(message.timeSeconds),
      packets: valueToTagged(message.wire.payload),
    })
  }
}
