/** A node of the demo, ours or a foreign one: what all of them can do, seen from outside. */

export interface Delivery {
  /** Message id, hex. */
  readonly id: string
  /** Id of the node that wrote the message. */
  readonly sender: string
  readonly text: string
}

export interface DemoNode {
  /** Short name for people, such as `b` or `js2p`. */
  readonly name: string
  readonly kind: 'mesh'
  readonly language: 'TypeScript' | 'JavaScript' | 'Python'
  readonly id: string
  /** Address others can dial. */
  readonly address: string
  /** Calls `fn` for every message this node gets. */
  onDelivery(fn: (delivery: Delivery) => void): void
  connect(address: string): Promise<void>
  /** To every node of the network. */
  broadcast(text: string): Promise<void>
  /** To the author of this message only. */
  reply(to: Delivery, text: string): Promise<void>
  close(): Promise<void>
}
