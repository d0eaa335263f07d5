/** A hash table under test: nodes over loopback, each of which stores and can be asked. */
export interface TableContender {
  readonly name: string
  /** Beyond this many nodes it does not work, or takes minutes. */
  readonly maxNodes: number
  /** Operations of one measurement; fewer where one takes long. */
  readonly operations: number
  open(nodeCount: number): Promise<OpenTable>
}

export interface OpenTable {
  /** Stores through the node with this number; resolves with what `get` needs once it is stored. */
  put(node: number, key: string, value: string): Promise<unknown>
  get(node: number, handle: unknown): Promise<string | undefined>
  /** One more node; resolves when it is part of the table. Undefined where that is not measured. */
  readonly join: (() => Promise<void>) | undefined
  close(): Promise<void>
}
