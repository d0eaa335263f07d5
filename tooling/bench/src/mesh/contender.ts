/** A network under test: nodes over loopback TCP in this process, of which the first one broadcasts. */
export interface MeshContender {
  readonly name: string
  /** Largest network that can be opened in reasonable time. */
  readonly maxNodes: number
  /** Resolves when a broadcast of the first node reaches all. `onMessage` gets what arrives, and where. */
  open(nodeCount: number, onMessage: OnMessage): Promise<OpenMesh>
}

export type OnMessage = (node: number, payload: Uint8Array) => void

export interface OpenMesh {
  broadcast(payload: Uint8Array): void
  close(): Promise<void>
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Resolves once the condition holds; looks again when the event loop has gone round. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const started = performance.now()
  while (!condition()) {
    if (performance.now() - started > 30_000) throw new Error(`waited 30 s for ${what}`)
    await turn()
  }
}

/**
 * Who dials whom where a network does not link itself: each node the first one, and up to three more of
 * those before it, spread evenly.
 */
export function dialsOf(node: number): readonly number[] {
  const dials = new Set<number>()
  const count = Math.min(node, 4)
  for (let index = 0; index < count; index += 1) dials.add(Math.floor((index * node) / count))
  return [...dials]
}
