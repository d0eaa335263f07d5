/** A replicated dictionary under test: some nodes over loopback TCP, of which the first one writes. */
export interface DictionaryContender {
  readonly name: string
  /** Beyond this many keys in all nodes together it takes minutes. */
  readonly maxDeliveries: number
  open(nodeCount: number): Promise<OpenDictionaries>
}

export interface OpenDictionaries {
  /** The first node sets the keys; resolves when every node has all of them. */
  spread(keys: readonly string[], value: (key: string) => string): Promise<void>
  /** One more node joins; resolves when it has all keys. Undefined where that is not measured. */
  readonly join: (() => Promise<void>) | undefined
  close(): Promise<void>
}

/** Resolves once the condition holds; looks again when the event loop has gone round. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
